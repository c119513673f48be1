import { pageTokens } from '../../backend/backend.ts';
import type { BlockPool } from '../cache/block-pool.ts';
import type { PrefixCache } from '../cache/prefix-cache.ts';
import { pagesFor, type Sequence } from '../sequence.ts';
import { pagesOf, type TenantQueue, youngest } from './tenant-queue.ts';
import type { TenantQueues } from './tenant-queues.ts';

/** Gives sequences their pages: free ones, then those of unused prefixes, then those of whoever runs with most of them. */
export class PageAllocator {
  readonly #pool: BlockPool;
  readonly #cache: PrefixCache;
  readonly #queues: TenantQueues;
  readonly #preempt: (sequence: Sequence) => void;

  /** `preempt` takes all its pages from a running sequence, which waits again. */
  constructor(pool: BlockPool, cache: PrefixCache, queues: TenantQueues, preempt: (sequence: Sequence) => void) {
    this.#pool = pool;
    this.#cache = cache;
    this.#queues = queues;
    this.#preempt = preempt;
  }

  /** Pages for the rest of a sequence that is to start. A tenant below its quota may take them from those above theirs. */
  admit(queue: TenantQueue, sequence: Sequence): boolean {
    const need = pagesFor(sequence.tokens.length) - sequence.pages.length;
    const pages = this.#pool.total * (1 - this.#cache.floor);
    const entitled = pagesOf(queue) + sequence.pages.length + need <= this.#queues.quota(queue, pages);
    while (!this.#cache.makeRoom(queue.tenant, need, this.#queues.running.size === 0)) {
      const holder = entitled ? this.#queues.mostPages() : undefined;
      if (!holder || holder === queue || pagesOf(holder) <= this.#queues.quota(holder, pages)) return false;
      this.#preempt(youngest(holder));
    }
    sequence.pages.push(...this.#pool.allocate(need));
    return true;
  }

  /** A page for a running sequence's next token, if need be taken from another; false when it was preempted itself. */
  grow(sequence: Sequence): boolean {
    const need = pagesFor(sequence.tokens.length) - sequence.pages.length;
    while (!this.#cache.makeRoom(sequence.tenant, need, this.#queues.running.size === 1)) {
      const victim = youngest(this.#queues.mostPages() ?? this.#queues.of(sequence));
      this.#preempt(victim);
      if (victim === sequence) return false;
    }
    sequence.pages.push(...this.#pool.allocate(need));
    return true;
  }

  /** Pages for `most` tokens behind the sequence's last one, as far as free ones reach. How many fit; {@link trim} frees them. */
  draft(sequence: Sequence, most: number): number {
    const { tokens, pages } = sequence;
    const need = pagesFor(tokens.length + most) - pages.length;
    if (need > 0 && this.#pool.canAllocate(need)) pages.push(...this.#pool.allocate(need));
    return Math.min(most, pages.length * pageTokens - tokens.length);
  }

  /** Frees the pages behind those that the sequence's tokens need. */
  trim({ pages, tokens }: Sequence): void {
    const needed = pagesFor(tokens.length);
    if (pages.length === needed) return;
    // The first of them is freed last, and so given out again first.
    for (const page of pages.splice(needed).reverse()) this.#pool.release(page);
  }
}
