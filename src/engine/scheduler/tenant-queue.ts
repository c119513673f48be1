import { goesFirst, type Sequence } from '../sequence.ts';
import type { Account } from './fairness.ts';
import { Waiting } from './waiting.ts';

/** One tenant's requests, those that wait and those that run. */
export interface TenantQueue extends Account {
  weight: number;
  readonly waiting: Waiting;
  readonly running: Set<Sequence>;
}

export function createTenantQueue(tenant: string, weight: number): TenantQueue {
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
