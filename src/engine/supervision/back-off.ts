/** An engine that has lived so long is no part of a row of failures. */
const calmMs = 60_000;

/** How long to wait before an engine is opened again: twice as long each time that the last one did not live long. */
export class BackOff {
  readonly #leastMs: number;
  readonly #mostMs: number;
  #tries = 0;

  constructor(leastMs = 100, mostMs = 60_000) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
  }

  /** `livedMs`: how long the last one ran; 0: it could not be opened. */
  next(livedMs: number): number {
    if (livedMs >= calmMs) this.#tries = 0;
    return Math.min(this.#mostMs, this.#leastMs * 2 ** this.#tries++);
  }
}
