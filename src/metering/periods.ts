/** Periods are names computed from the clock when they are needed: nothing is reset at midnight. All are of UTC. */
export const periodNames = ['day', 'month', 'total'] as const;

export type PeriodName = (typeof periodNames)[number];

export interface Period {
  readonly name: PeriodName;
  /** `2026-11-26`, `2026-11`, `total`. */
  readonly id: string;
  /** Milliseconds since 1970; the first that belongs to it, and the first that does not. Absent: for ever. */
  readonly from?: number;
  readonly to?: number;
}

export const dayMs = 86_400_000;

export const dayOf = (ms: number): number => Math.floor(ms / dayMs);

const total: Period = { name: 'total', id: 'total' };

/** The period of that name at a time. */
export function periodAt(name: PeriodName, ms: number): Period {
  if (name === 'total') return total;
  const date = new Date(ms);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const iso = date.toISOString();
  if (name === 'month')
    return { name, id: iso.slice(0, 7), from: Date.UTC(year, month), to: Date.UTC(year, month + 1) };
  const from = dayOf(ms) * dayMs;
  return { name, id: iso.slice(0, 10), from, to: from + dayMs };
}

/** The same for many calls of one day: makes no dates but at its beginning. */
export class Periods {
  #day = Number.NaN;
  #periods: Record<PeriodName, Period> | undefined;

  at(ms: number): Record<PeriodName, Period> {
    const day = dayOf(ms);
    if (this.#periods === undefined || day !== this.#day) {
      this.#day = day;
      this.#periods = { day: periodAt('day', ms), month: periodAt('month', ms), total };
    }
    return this.#periods;
  }
}
