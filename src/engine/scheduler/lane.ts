import { goesFirst, type Sequence } from '../sequence.ts';
import type { Account } from './fairness.ts';
import { Waiting } from './waiting.ts';

/** One tenant's requests. */
export interface Lane extends Account {
  readonly waiting: Waiting;
  readonly running: Set<Sequence>;
}

function createLane(tenant: string, weight: number): Lane {
  return { tenant, weight, served: 0, since: 0, waiting: new Waiting(), running: new Set() };
}

/** Pages that the tenant's running sequences use; a page that two of them share counts twice. */
export function pagesOf(lane: Lane): number {
  let pages = 0;
  for (const sequence of lane.running) pages += sequence.pages.length;
  return pages;
}

/** The running sequence that is preempted first. */
export function youngest(lane: Lane): Sequence {
  return [...lane.running].reduce((a, b) => (goesFirst(a, b) ? b : a));
}

/** The lanes of all tenants, and what falls to each of those that have requests. */
export class Lanes {
  readonly #weights: ReadonlyMap<string, number> | undefined;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with requests, and the sum of their weights. */
  readonly #active = new Set<Lane>();
  #activeWeight = 0;

  /** A tenant's weight is 1 where absent. */
  constructor(weights: ReadonlyMap<string, number> | undefined) {
    this.#weights = weights;
  }

  known(tenant: string): Lane | undefined {
    return this.#lanes.get(tenant);
  }

  of(tenant: string): Lane {
    const known = this.known(tenant);
    if (known) return known;
    const lane = createLane(tenant, this.#weights?.get(tenant) ?? 1);
    this.#lanes.set(tenant, lane);
    return lane;
  }

  /** What falls to a lane of `amount`, shared by weight among the tenants that have requests. */
  share(lane: Lane, amount: number): number {
    return (amount * lane.weight) / this.#activeWeight;
  }

  /** Call after the lane's queues have changed. */
  settle(lane: Lane): void {
    const active = lane.waiting.size + lane.running.size > 0;
    if (active === this.#active.has(lane)) return;
    if (active) this.#active.add(lane);
    else this.#active.delete(lane);
    // Starting from 0 again when nobody is left keeps rounding from adding up.
    this.#activeWeight = this.#active.size === 0 ? 0 : this.#activeWeight + (active ? lane.weight : -lane.weight);
  }
}
