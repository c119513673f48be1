import { goesFirst, type Sequence } from '../sequence.ts';
import type { Account } from './fairness.ts';
import { Waiting } from './waiting.ts';

/** One tenant's requests, those that wait and those that run. */
export interface TenantQueue extends Account {
  readonly waiting: Waiting;
  readonly running: Set<Sequence>;
}

function createTenantQueue(tenant: string, weight: number): TenantQueue {
  return { tenant, weight, served: 0, since: 0, waiting: new Waiting(), running: new Set() };
}

/** Pages that the tenant's running sequences use; a page that two of them share counts twice. */
export function pagesOf(queue: TenantQueue): number {
  let pages = 0;
  for (const sequence of queue.running) pages += sequence.pages.length;
  return pages;
}

/** The running sequence that is preempted first. */
export function youngest(queue: TenantQueue): Sequence {
  return [...queue.running].reduce((a, b) => (goesFirst(a, b) ? b : a));
}

/** The queues of all tenants, and what falls to each of those that have requests. */
export class TenantQueues {
  readonly #weights: ReadonlyMap<string, number> | undefined;
  readonly #queues = new Map<string, TenantQueue>();
  /** Queues with requests, and the sum of their weights. */
  readonly #active = new Set<TenantQueue>();
  #activeWeight = 0;

  /** A tenant's weight is 1 where absent. */
  constructor(weights: ReadonlyMap<string, number> | undefined) {
    this.#weights = weights;
  }

  known(tenant: string): TenantQueue | undefined {
    return this.#queues.get(tenant);
  }

  of(tenant: string): TenantQueue {
    const known = this.known(tenant);
    if (known) return known;
    const queue = createTenantQueue(tenant, this.#weights?.get(tenant) ?? 1);
    this.#queues.set(tenant, queue);
    return queue;
  }

  /** What falls to a queue's tenant of `amount`, shared by weight among the tenants that have requests. */
  share(queue: TenantQueue, amount: number): number {
    return (amount * queue.weight) / this.#activeWeight;
  }

  /** Call after the queue's requests have changed. */
  settle(queue: TenantQueue): void {
    const active = queue.waiting.size + queue.running.size > 0;
    if (active === this.#active.has(queue)) return;
    if (active) this.#active.add(queue);
    else this.#active.delete(queue);
    // Starting from 0 again when nobody is left keeps rounding from adding up.
    this.#activeWeight = this.#active.size === 0 ? 0 : this.#activeWeight + (active ? queue.weight : -queue.weight);
  }
}
