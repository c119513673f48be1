/** Requests of one tenant that begin alike compute their common prefix once. */
import { pageTokens } from '../../backend/backend.ts';
import type { BlockId } from '../cache/block-pool.ts';
import type { CachedPage } from '../cache/cached-page.ts';
import type { SlotId } from '../cache/state-slots.ts';
import { commonTokens, isDecoding, reusable, type Sequence } from '../sequence.ts';
import type { TenantQueue } from './tenant-queue.ts';

/** Tokens that another request of the tenant must be about to compute for it to be worth waiting for them. */
const worthWaiting = pageTokens / 2;

/** Whether another request of the tenant is about to compute what its `sequence` begins with. */
export function isPrefixComing(queue: TenantQueue, sequence: Sequence): boolean {
  const most = reusable(sequence);
  const has = (other: Sequence): boolean =>
    Math.min(commonTokens(sequence, other), most + 1) - other.computed >= worthWaiting;
  return [...queue.running].some(other => !isDecoding(other) && has(other));
}

export interface Fork {
  /** Page to be copied; undefined where it would have nothing of the sequence's yet. */
  readonly page: BlockId | undefined;
  /** That page where the cache alone has it: it is taken instead. */
  readonly tail?: CachedPage | undefined;
  /** Slot whose state is to be copied. */
  readonly slot?: SlotId | undefined;
  readonly computed: number;
}

/**
 * A page that is shared until the sequence writes to it: the one behind its cached pages that another of its tenant has begun in
 * the same way, and how far. The sequence goes on in a copy of it, so answers to one prompt compute it once and share its full
 * pages. `exact`, in models that keep a state: only from another whose state is the one behind what both have.
 */
export function copyOnWriteFork(queue: TenantQueue, sequence: Sequence, exact: boolean): Fork | undefined {
  const index = sequence.pages.length;
  const most = Math.min(reusable(sequence), (index + 1) * pageTokens);
  let best: Fork | undefined;
  // A state is worth having even where no token of a page is.
  const least = exact ? Math.max(1, sequence.computed) : sequence.computed + 1;
  for (const other of queue.running) {
    const computed = Math.min(commonTokens(sequence, other), other.computed, most);
    if (computed < least || computed <= (best?.computed ?? 0) || (exact && computed !== other.computed)) continue;
    best = {
      page: computed > index * pageTokens ? other.pages[index] : undefined,
      slot: other.slots?.current,
      computed,
    };
  }
  return best;
}
