/** What a watchdog looks at. */
export interface Watched {
  /** There is something to do. */
  readonly busy: boolean;
  /** Differs whenever it has got on. */
  readonly beats: number;
}

/** A silence that was followed by a beat shows how slow this machine and model can be: one so many times as long is still none. */
const margin = 4;

/**
 * Finds out that an engine stands still: it has something to do and has not got on for `limitMs`, or for four times the longest
 * silence that it ever came back from. Being busy is no fault: the engine beats between the operations of a step.
 */
export class Watchdog {
  readonly #limitMs: number;
  readonly #look: () => Watched;
  #last: Watched = { busy: false, beats: 0 };
  #silentMs = 0;
  #longestMs = 0;

  constructor(limitMs: number, look: () => Watched) {
    this.#limitMs = limitMs;
    this.#look = look;
  }

  /** How often it should look. */
  static intervalMs(limitMs: number): number {
    return Math.max(10, Math.min(1_000, limitMs / 10));
  }

  /**
   * Looks, `passedMs` after the last time. A time much longer than asked for does not count whole: the process was suspended, or
   * this thread late, and the engine may have been so too. Returns how long the engine has stood still, once that is too long.
   */
  look(passedMs: number): number | undefined {
    const now = this.#look();
    const silent = now.busy && this.#last.busy && now.beats === this.#last.beats;
    if (silent) this.#silentMs += Math.min(passedMs, 2 * Watchdog.intervalMs(this.#limitMs));
    else {
      this.#longestMs = Math.max(this.#longestMs, this.#silentMs);
      this.#silentMs = 0;
    }
    this.#last = now;
    return this.#silentMs > Math.max(this.#limitMs, margin * this.#longestMs) ? this.#silentMs : undefined;
  }
}
