/** What follows the first piece so closely was there with it. */
const BURST_MS = 1;

/**
 * When pieces of an answer go on their way. A piece that came quickly after another waits, at most `togetherMs`, for those
 * behind it: each time that text leaves costs the thread that serves some 0.2 ms, and its reader too, of a token that may
 * take 5 (the engine sends its events so, see EventBatcher).
 */
export class StreamPace {
  readonly #send: () => void;
  readonly #togetherMs: number;
  readonly #clock: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: () => void, togetherMs = 40, clock: () => number = () => performance.now()) {
    this.#send = send;
    this.#togetherMs = togetherMs;
    this.#clock = clock;
  }

  /** There is another piece. */
  put(): void {
    const now = this.#clock();
    const slow = now - this.#last >= this.#togetherMs / 2;
    this.#last = now;
    if (slow) this.flush();
    else if (now - this.#sentAt < BURST_MS) this.#send();
    else this.#timer ??= setTimeout(() => this.flush(), this.#togetherMs);
  }

  /** All that is there goes now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentAt = this.#clock();
    this.#send();
  }
}
