/** Requests of one tenant that begin alike compute their common prefix once. */
import { pageTokens } from '../../backend/backend.ts';
import type { BlockId } from '../cache/block-pool.ts';
import { commonTokens, pending, type Sequence } from '../sequence.ts';
import type { TenantQueue } from './tenant-queue.ts';

/** Tokens that another request of the tenant must be about to compute for it to be worth waiting for them. */
const worthWaiting = pageTokens / 2;

/** Whether another request of the tenant is about to compute what its `sequence` begins with. */
export function isPrefixComing(queue: TenantQueue, sequence: Sequence): boolean {
  const has = (other: Sequence): boolean => commonTokens(sequence, other) - other.computed >= worthWaiting;
  return [...queue.running].some(other => pending(other) > 1 && has(other));
}

/**
 * A page that is shared until the sequence writes to it: the one behind its cached pages that another of its tenant has begun in
 * the same way, and how far. The sequence goes on in a copy of it, so answers to one prompt compute it once and share its full
 * pages.
 */
export function copyOnWriteFork(
  queue: TenantQueue,
  sequence: Sequence,
): { page: BlockId; computed: number } | undefined {
  if (sequence.states === 'all') return undefined;
  const index = sequence.pages.length;
  // Its last token is always computed, because its logits are wanted.
  const most = Math.min(sequence.tokens.length - 1, (index + 1) * pageTokens);
  let best: { page: BlockId; computed: number } | undefined;
  for (const other of queue.running) {
    const computed = Math.min(commonTokens(sequence, other), other.computed, most);
    if (computed > (best?.computed ?? sequence.computed)) best = { page: other.pages[index], computed };
  }
  return best;
}
