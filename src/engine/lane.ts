import type { Account } from './fairness.ts';
import { Heap } from './heap.ts';
import type { Sequence } from './sequence.ts';

/** One tenant's requests. */
export interface Lane extends Account {
  /** By priority, then by age. */
  readonly waiting: Heap<Sequence>;
  readonly running: Set<Sequence>;
}

export function createLane(tenant: string, weight: number): Lane {
  return { tenant, weight, served: 0, since: 0, waiting: new Heap(goesFirst), running: new Set() };
}

function goesFirst(a: Sequence, b: Sequence): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.id < b.id;
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
