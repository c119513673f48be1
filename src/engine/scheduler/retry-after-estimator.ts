/** Estimates `Retry-After` from how often requests end: after that long a place in the queue is free again. */
export class RetryAfterEstimator {
  #last = 0;
  #interval = 1000;

  /** Work begins; the time before it says nothing. */
  start(): void {
    this.#last = performance.now();
  }

  ended(): void {
    const now = performance.now();
    this.#interval += (now - this.#last - this.#interval) / 8;
    this.#last = now;
  }

  /** After how long a refused request may try again: 1 to 60. */
  seconds(): number {
    return Math.min(60, Math.max(1, Math.ceil(this.#interval / 1000)));
  }
}
