import { Lows } from './lows.ts';

/** So many units a minute, earned evenly; a minute's worth may be taken at once. */
export interface Pace {
  readonly perMinute: number;
}

/** What was taken and may be given back in part. */
export interface Taken {
  /** When; undefined: it has been settled. */
  since: number | undefined;
}

export const minuteMs = 60_000;

/** A thousandth of a unit: sums of fractions are not exact. */
export const tolerance = 0.001;

/**
 * The generic cell rate algorithm: one number, the time at which all that was taken will have been earned, says what is
 * left. Over any window no more is taken than a minute's worth and what is earned in the window.
 *
 * What is given back must not be more than is still owed of it, or calls that end late would save up for a burst: had it
 * not been taken, the debt could not have gone below nothing. So the least debt since each take that is open is known.
 */
export class Gcra {
  /** Of the debt and all that was given back before: what is given back lowers the debts of the past too. */
  readonly #lows = new Lows();
  #earnedAt = Number.NEGATIVE_INFINITY;
  #given = 0;

  /** Milliseconds from `now` in which all is earned. */
  debt(now: number): number {
    return Math.max(0, this.#earnedAt - now);
  }

  /** Milliseconds until so many may be taken; 0: now. More than a minute's worth never may. */
  wait(units: number, { perMinute }: Pace, now: number): number {
    const wait = this.debt(now) + ((units - tolerance) * minuteMs) / perMinute - minuteMs;
    return Math.max(0, wait);
  }

  /** Takes, whether they may be taken or not: whoever asks has seen that. */
  take(units: number, { perMinute }: Pace, now: number): Taken {
    this.#lows.note(this.debt(now) + this.#given);
    this.#earnedAt = now + this.debt(now) + (units * minuteMs) / perMinute;
    return { since: this.#lows.begin() };
  }

  /** Gives back what was not used; a take that was settled, or never was, gives nothing. */
  giveBack(taken: Taken, units: number, { perMinute }: Pace, now: number): void {
    if (taken.since === undefined) return;
    this.#lows.note(this.debt(now) + this.#given);
    const room = this.#lows.since(taken.since) - this.#given;
    taken.since = undefined;
    this.#lows.end();
    const back = Math.max(0, Math.min((units * minuteMs) / perMinute, room));
    this.#earnedAt -= back;
    this.#given += back;
  }

  /** Owes at least so much at `now`. */
  owe(ms: number, now: number): void {
    this.#earnedAt = Math.max(this.#earnedAt, now + ms);
  }

  /** Owes nothing, and nothing can be given back. */
  atRest(now: number): boolean {
    return this.#lows.open === 0 && this.debt(now) === 0;
  }
}
