import type { CallColumns, CallTable } from '../store/schema.ts';
import type { Budget } from './budgets.ts';
import type { Period } from './periods.ts';

/** A call that runs, as far as it is known. */
export interface RunningCall extends CallColumns {
  /** Ids of the budgets that count it. */
  readonly budgets: readonly string[];
}

/** A call that has ended. */
export interface EndedCall extends RunningCall {
  readonly status: CallTable['status'];
  /** The store may have it among those that run. */
  readonly known: boolean;
}

/** What a replica will hold of a budget from this commit on, and what it asks for beyond. */
export interface LeaseWrite {
  readonly id: string;
  readonly limit: number;
  /** What it keeps of what it held, without what this commit puts on record. Absolute, so that a commit may be repeated. */
  readonly keep: number;
  /** What it needs now; 0: it only gives back or puts on record. */
  readonly need: number;
  /** How much it takes at once, of so much that is left. */
  chunk(need: number, left: number): number;
  readonly tenant: string;
  readonly budget: Budget;
  readonly period: Period;
  /** The replica has not asked for it yet: what was used before there was the budget is counted. */
  readonly isNew: boolean;
  /** What the replica knows to be spent. */
  readonly spent: number;
}

/** All that a replica tells the store at once; it is done as a whole or not at all, and may be done again. */
export interface Batch {
  readonly replica: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly ended: readonly EndedCall[];
  readonly running: readonly RunningCall[];
  readonly leases: readonly LeaseWrite[];
}

/** What became of the leases of a batch. */
export interface Drawn {
  readonly id: string;
  readonly granted: number;
  /** What nobody holds and nobody has spent. */
  readonly left: number;
  readonly spent: number;
}

/** Where calls are put on record. All that several replicas must agree on is done here, each time at once or not at all. */
export interface Ledger {
  /** From here on what the replica holds is its own, as long as it is seen. */
  join(replica: string, now: number): Promise<void>;
  /**
   * A row for each call that ended, once; budgets move by what was inserted. Throws {@link ReplicaLost}.
   */
  commit(batch: Batch): Promise<Drawn[]>;
  /** When each replica was last seen, by its own clock. */
  replicas(): Promise<{ readonly id: string; readonly seen_at: number }[]>;
  /** What is spent of each of these budgets; absent: nothing. */
  spent(ids: readonly string[]): Promise<Map<string, number>>;
  /** Settles what a replica left behind and gives back what it held. Resolves to the number of its calls; 0 if somebody else did it. */
  bury(replica: string): Promise<number>;
}

/** The others hold this replica for dead: its leases are gone. */
export class ReplicaLost extends Error {}
