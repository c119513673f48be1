import { Gcra, minuteMs } from './gcra.ts';

/** So many units of one limit. */
export interface Ask {
  /** Of whoever has the limit. */
  readonly key: string;
  readonly perMinute: number;
  readonly units: number;
  /** What is not used will be given back. */
  readonly refundable: boolean;
}

/** What is left of a limit. */
export interface Level {
  /** Whole units that may be taken now. */
  readonly remaining: number;
  /** Milliseconds until all of it may be taken. */
  readonly resetMs: number;
}

export type Verdict =
  | { readonly granted: true; readonly grants: readonly Grant[]; readonly levels: readonly Level[] }
  /** By the limit of this number. */
  | { readonly granted: false; readonly denier: number; readonly waitMs: number; readonly levels: readonly Level[] };

export interface Grant {
  giveBack(units: number): void;
}

/** Where it is written what was taken of limits: in this process, or in Redis. */
export interface RateBook {
  /** Takes all or nothing. */
  take(asks: readonly Ask[]): Verdict | Promise<Verdict>;
  /** What is left, as far as this process knows. */
  level(key: string, perMinute: number): Level;
  /** Whether one more may run at once with those of `key`; it is released under the same id. */
  hold(key: string, id: string, most: number): boolean | Promise<boolean>;
  release(key: string, id: string): void;
  close(): Promise<void>;
}

export function levelOf(debtMs: number, perMinute: number): Level {
  const remaining = Math.floor(((minuteMs - debtMs) * perMinute) / minuteMs + 1e-6);
  return { remaining: Math.max(0, remaining), resetMs: debtMs };
}

interface LocalOptions {
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
  /** The part of each limit that is allowed here. Default 1. */
  readonly share?: () => number;
  /** What a limit that nobody has asked for yet is said to owe. Default 0. */
  readonly owed?: number;
}

/** More limits than this are looked through for some that are at rest. */
const manyLimits = 10_000;

/** Rates of one process. */
export class LocalRates implements RateBook {
  readonly #limits = new Map<string, Gcra>();
  readonly #held = new Map<string, Set<string>>();
  readonly #now: () => number;
  readonly #share: () => number;
  readonly #owed: number;
  readonly #since: number;
  #many = manyLimits;

  constructor({ now = () => performance.now(), share = () => 1, owed = 0 }: LocalOptions = {}) {
    this.#now = now;
    this.#share = share;
    this.#owed = owed;
    this.#since = now();
  }

  take(asks: readonly Ask[]): Verdict {
    const now = this.#now();
    const each = asks.map(ask => ({ ...ask, gcra: this.#limit(ask.key, now), pace: this.#pace(ask.perMinute) }));
    const levels = () => each.map(({ gcra, pace }) => levelOf(gcra.debt(now), pace.perMinute));
    const waits = each.map(({ gcra, pace, units }) =>
      units > pace.perMinute ? Number.POSITIVE_INFINITY : gcra.wait(units, pace, now),
    );
    const waitMs = Math.max(0, ...waits);
    if (waitMs > 0) return { granted: false, denier: waits.indexOf(waitMs), waitMs, levels: levels() };
    const grants = each.map(({ gcra, pace, units, refundable }) => {
      const taken = gcra.take(units, pace, now);
      if (!refundable) gcra.giveBack(taken, 0, pace, now);
      return { giveBack: (unused: number) => gcra.giveBack(taken, unused, pace, this.#now()) };
    });
    return { granted: true, grants, levels: levels() };
  }

  level(key: string, perMinute: number): Level {
    const now = this.#now();
    return levelOf(this.#limit(key, now).debt(now), this.#pace(perMinute).perMinute);
  }

  /** What is owed of a limit here, in units; it is owed elsewhere from now on. */
  takeOver(key: string, perMinute: number): number {
    const debt = this.#limits.get(key)?.debt(this.#now()) ?? 0;
    this.#limits.delete(key);
    return (debt * this.#pace(perMinute).perMinute) / minuteMs;
  }

  hold(key: string, id: string, most: number): boolean {
    const held = this.#held.get(key) ?? new Set<string>();
    if (held.size >= Math.max(1, Math.floor(most * this.#share()))) return false;
    this.#held.set(key, held.add(id));
    return true;
  }

  release(key: string, id: string): void {
    const held = this.#held.get(key);
    held?.delete(id);
    if (held?.size === 0) this.#held.delete(key);
  }

  async close(): Promise<void> {}

  #pace(perMinute: number): { perMinute: number } {
    return { perMinute: perMinute * this.#share() };
  }

  #limit(key: string, now: number): Gcra {
    let limit = this.#limits.get(key);
    if (limit) return limit;
    this.#forget(now);
    limit = new Gcra();
    limit.owe(this.#owed - (now - this.#since), now);
    this.#limits.set(key, limit);
    return limit;
  }

  /** What owes nothing is as if it had never been asked. */
  #forget(now: number): void {
    if (this.#limits.size < this.#many) return;
    for (const [key, limit] of this.#limits) if (limit.atRest(now)) this.#limits.delete(key);
    this.#many = Math.max(manyLimits, 2 * this.#limits.size);
  }
}
