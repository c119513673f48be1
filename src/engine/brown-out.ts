import type { BrownOutLevel } from './types.ts';

/** What counts as pressure. Structured-cloneable. */
export interface BrownOutLimits {
  /** Requests that wait for their first step; half as many count as calm again. */
  readonly waiting: number;
  /** Bytes of memory that are left; twice as many count as calm again. */
  readonly memory: number;
  /** How long it must last for each level. */
  readonly afterMs: number;
}

/** How much longer calm must last, for each level back. */
const calmTimes = 3;
/** How often it is looked at. */
const everyMs = 250;

/**
 * What an engine gives up before requests are refused: under pressure that lasts guesses (level 1: their rows are others'), and
 * where it goes on sessions too (level 2). No answer changes. Levels are left later than they are reached, so that they do not flutter.
 */
export class BrownOut {
  readonly #limits: BrownOutLimits;
  readonly #memory: () => number;
  readonly #clock: () => number;
  #level: BrownOutLevel = 0;
  #looked = Number.NEGATIVE_INFINITY;
  /** Since when there has been pressure, or calm, without a change of level. */
  #since = 0;
  #was: 'pressed' | 'calm' | 'between' = 'between';

  /** `memory`: bytes that are left. */
  constructor(limits: BrownOutLimits, memory: () => number, clock: () => number) {
    this.#limits = limits;
    this.#memory = memory;
    this.#clock = clock;
  }

  /** The level, with so many requests waiting. Cheap: most calls only compare a time. */
  look(waiting: number): BrownOutLevel {
    const now = this.#clock();
    if (now - this.#looked < everyMs) return this.#level;
    this.#looked = now;
    const is = this.#judge(waiting);
    if (is !== this.#was) this.#since = now;
    this.#was = is;
    if (is === 'pressed') this.#step(now, 1, this.#limits.afterMs);
    if (is === 'calm') this.#step(now, -1, calmTimes * this.#limits.afterMs);
    return this.#level;
  }

  /** One level for each time that has passed; nobody may have looked for long. */
  #step(now: number, by: 1 | -1, eachMs: number): void {
    const steps = Math.floor((now - this.#since) / eachMs);
    if (steps === 0) return;
    this.#since = now;
    this.#level = Math.max(0, Math.min(2, this.#level + by * (by === 1 ? 1 : steps))) as BrownOutLevel;
  }

  #judge(waiting: number): 'pressed' | 'calm' | 'between' {
    const { waiting: most, memory: least } = this.#limits;
    const left = this.#memory();
    if (waiting >= most || left < least) return 'pressed';
    return waiting <= most / 2 && left >= 2 * least ? 'calm' : 'between';
  }
}
