import type { Budget } from './budgets.ts';
import type { Period } from './periods.ts';

/** Of what is left for everybody, the part that a replica may have at hand without a need for it. */
const share = 1 / 16;

/** What this replica may spend of one budget in one period without asking the store. */
export class Lease {
  readonly id: string;
  readonly tenant: string;
  readonly budget: Budget;
  readonly period: Period;
  /** In what is counted. */
  limit: number;
  /** Drawn from the store, and neither given back nor put on record. */
  held = 0;
  /** Reserved for calls that run, or settled and not yet given to a commit. */
  used = 0;
  /** What the store had left for everybody when it was last asked. */
  left = 0;
  /** What the store last said that everybody has spent. */
  spent = 0;
  /** The store has counted what was used before there was such a budget. */
  opened = false;
  /** Reserved from since the last beat. */
  busy = true;
  /** Calls that hold it while they wait for the store. */
  waiting = 0;

  constructor(id: string, tenant: string, budget: Budget, period: Period, limit: number) {
    this.id = id;
    this.tenant = tenant;
    this.budget = budget;
    this.period = period;
    this.limit = limit;
  }

  /** What another call may reserve. Negative after the store has taken back what was drawn. */
  get room(): number {
    return this.held - this.used;
  }

  /** Nobody has needed it for a while, and it holds nothing. */
  get idle(): boolean {
    return !this.busy && this.waiting === 0 && this.held === 0 && this.used === 0;
  }

  /** How much of the room may stay here; the less is left for everybody, the less. */
  get comfort(): number {
    // What a waiting call was given may not go while it waits for another budget.
    if (this.waiting > 0) return Math.max(0, this.room);
    return this.busy ? Math.max(0, Math.min(this.room, Math.floor(this.left * share))) : 0;
  }

  /** What it draws at once where it lacks `need`. */
  chunk(need: number, left: number): number {
    return Math.max(0, Math.min(left, Math.max(need, Math.floor(left * share))));
  }
}
