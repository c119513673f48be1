/** Estimates `Retry-After` from how often requests end: after that long a place in the queue is free again. */
export class RetryAfterEstimator {
  readonly #now: () => number;
  #last = 0;
  #interval: number | undefined;

  /** `now`: in milliseconds. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Work begins; the time before it says nothing. */
  start(): void {
    this.#last = this.#now();
  }

  ended(): void {
    const now = this.#now();
    const passed = now - this.#last;
    this.#interval = this.#interval === undefined ? passed : this.#interval + (passed - this.#interval) / 8;
    this.#last = now;
  }

  /** After how long a refused request may try again: 1 to 60. Nothing has ended for a while: that long at least. */
  seconds(): number {
    const interval = Math.max(this.#interval ?? 0, this.#now() - this.#last);
    return Math.min(60, Math.max(1, Math.ceil(interval / 1000)));
  }
}
