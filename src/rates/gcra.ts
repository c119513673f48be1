/** So many units a minute, earned evenly; a minute's worth may be taken at once. */
export interface Pace {
  readonly perMinute: number;
}

/** What was taken and may be given back in part. */
export interface Taken {
  /** The least debt since it was taken, and what was given back until then: no more of it can still be owed. */
  room: number;
}

export const minuteMs = 60_000;

/** A thousandth of a unit: sums of fractions are not exact. */
export const tolerance = 0.001;

/**
 * The generic cell rate algorithm: one number, the time at which all that was taken will have been earned, says what is
 * left. Over any window no more is taken than a minute's worth and what is earned in the window.
 *
 * What is given back must not be more than is still owed of it, or calls that end late would save up for a burst: had it
 * not been taken, the debt could not have gone below nothing. So each take that is open knows the least debt since.
 */
export class Gcra {
  readonly #open = new Set<Taken>();
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
    this.#note(now);
    this.#earnedAt = now + this.debt(now) + (units * minuteMs) / perMinute;
    const taken = { room: Number.POSITIVE_INFINITY };
    this.#open.add(taken);
    return taken;
  }

  /** Gives back what was not used; a take that was settled, or never was, gives nothing. */
  giveBack(taken: Taken, units: number, { perMinute }: Pace, now: number): void {
    this.#note(now);
    if (!this.#open.delete(taken)) return;
    const back = Math.max(0, Math.min((units * minuteMs) / perMinute, taken.room - this.#given));
    this.#earnedAt -= back;
    this.#given += back;
  }

  /** Owes at least so much at `now`. */
  owe(ms: number, now: number): void {
    this.#earnedAt = Math.max(this.#earnedAt, now + ms);
  }

  /** Owes nothing, and nothing can be given back. */
  atRest(now: number): boolean {
    return this.#open.size === 0 && this.debt(now) === 0;
  }

  #note(now: number): void {
    const least = this.debt(now) + this.#given;
    for (const each of this.#open) each.room = Math.min(each.room, least);
  }
}
