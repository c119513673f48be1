import { pageTokens } from '../../backend/backend.ts';
import type { Token } from '../../tokenizer/types.ts';
import { reusable, type Sequence } from '../sequence.ts';
import type { BlockId, BlockPool } from './block-pool.ts';
import type { CachedPage } from './cached-page.ts';
import { newSecret, pageKey } from './page-key.ts';
import { isMarked } from './snapshot-marks.ts';
import { Snapshots } from './snapshots.ts';
import { type SlotId, StateSlots } from './state-slots.ts';
import { type Place, TenantPages } from './tenant-pages.ts';

/** Stands for all tenants where the operator declared a prefix shared; no tenant can have this name. */
export const everyone = '*';

export interface PrefixCacheOptions {
  /** Fraction of the pool that one tenant's idle pages may hold. Default 1/2. */
  readonly quota?: number | undefined;
  /** Fraction of the pool that is kept for all tenants' idle pages together, in equal parts, against their neighbours. Default 1/4. */
  readonly floor?: number | undefined;
  /** Prefixes, tokens, whose full pages all tenants share. */
  readonly shared?: readonly (readonly number[])[] | undefined;
}

/** Where a sequence can go on, see `begun`. */
interface Begun {
  readonly page: BlockId;
  readonly computed: number;
  readonly tail: CachedPage | undefined;
  /** Slot of the state behind it. */
  readonly slot: SlotId | undefined;
}

/**
 * Finds pages again that hold the same tokens after the same prefix, within one tenant. Each tenant has its own
 * secret, table, quota and least-recently-used order, so none can see or flush another's pages. Pages of a prefix that
 * the operator declared shared are held as if by one more tenant, in whose name all find them.
 */
export class PrefixCache {
  readonly floor: number;
  readonly #pool: BlockPool;
  readonly #slots: StateSlots;
  readonly #quota: number;
  readonly #shared: readonly (readonly number[])[];
  /** Tenants that hold pages. */
  readonly #tenants = new Map<string, TenantPages>();
  /** The secret of every tenant seen, so that its keys stay the same while it holds no page. */
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #snapshots: Snapshots;

  constructor(pool: BlockPool, options: PrefixCacheOptions = {}, slots = new StateSlots(0)) {
    this.#pool = pool;
    this.#slots = slots;
    this.#snapshots = new Snapshots(slots);
    this.#quota = Math.floor(pool.total * (options.quota ?? 1 / 2));
    this.floor = options.floor ?? 1 / 4;
    this.#shared = options.shared ?? [];
  }

  /** Every page in the cache, for accounting and tests. */
  *pages(): Iterable<{ tenant: string; page: CachedPage }> {
    for (const [tenant, pages] of this.#tenants) for (const page of pages.values()) yield { tenant, page };
  }

  /** Pages of all tenants that no sequence uses. */
  get idlePages(): number {
    let pages = 0;
    for (const { idle } of this.#tenants.values()) pages += idle.size;
    return pages;
  }

  /** Pages that no sequence uses. */
  idle(tenant: string): number {
    return this.#tenants.get(tenant)?.idle.size ?? 0;
  }

  /**
   * Gives a sequence without pages the cached ones that its tokens begin with, as far as their rows are not wanted.
   */
  acquire(sequence: Sequence): void {
    const full = Math.floor(reusable(sequence) / pageTokens);
    while (sequence.pages.length < full) {
      const tenant = this.#tenants.get(this.#holderOf(sequence, sequence.pages.length));
      const page = tenant && this.#find(tenant, sequence);
      if (!page) break;
      this.#use(tenant, sequence, page);
      sequence.pages.push(page.block);
    }
    sequence.computed = sequence.pages.length * pageTokens;
  }

  /**
   * A page that a sequence which has acquired its full ones can go on in a copy of, and how far: another's tail, or for one that
   * keeps its own the beginning of a full page too; in models that keep a state the whole of a tail whose state is kept. `tail`: it
   * goes on behind all of it and keeps its own, so that it may {@link take} it.
   */
  begun(sequence: Sequence): Begun | undefined {
    const exact = this.#slots.total > 0;
    const tenant = this.#tenants.get(sequence.tenant);
    const from = sequence.cached.length * pageTokens;
    const place = this.#place(sequence, Math.min(reusable(sequence), from + pageTokens));
    const found = exact ? tenant?.longestWithState(place) : tenant?.longest(place, sequence.keepsTail === true);
    if (!tenant || !found) return undefined;
    const { page, tokens } = found;
    tenant.touch(page);
    const whole = sequence.keepsTail && tokens === page.tokens.length && tokens < pageTokens;
    const alone = this.#pool.references(page.block) === 1;
    return { page: page.block, computed: from + tokens, tail: whole && alone ? page : undefined, slot: page.state };
  }

  /** A tail becomes the next page of a sequence, which will leave a longer one. */
  take(sequence: Sequence, tail: CachedPage): void {
    this.#pool.retain(tail.block);
    this.#drop(this.#tenant(tail.holder), tail);
    sequence.pages.push(tail.block);
  }

  /** Makes the full pages that a sequence has computed findable. */
  register(sequence: Sequence): void {
    const full = Math.floor(sequence.computed / pageTokens);
    if (sequence.cached.length >= full) return;
    for (const own of sequence.pages.slice(sequence.cached.length, full)) {
      const index = sequence.cached.length;
      const tenant = this.#tenant(this.#holderOf(sequence, index));
      const page = this.#find(tenant, sequence) ?? this.#add(tenant, sequence, own);
      if (!page) break;
      this.#use(tenant, sequence, page);
      // Someone computed the same page meanwhile: one copy is enough.
      this.#pool.release(own);
      sequence.pages[index] = page.block;
    }
    this.#keepState(sequence);
  }

  /** Keeps the state behind its last full page, if it is there just now and another may want it. In an answer it is one that moves along. */
  #keepState(sequence: Sequence): void {
    const { slots, computed, promptTokens, cached } = sequence;
    const [last, before] = [cached.at(-1), cached.at(-2)];
    const isThere = last && slots?.tokens === computed && computed === cached.length * pageTokens;
    if (!isThere || !isMarked(sequence)) return;
    if (before?.users === 1 && computed - pageTokens > promptTokens) this.#snapshots.forget(before);
    this.#snapshots.keep(last, slots.current);
  }

  /**
   * In models that keep a state a page is of no use without the state behind it: takes those behind the last one that has it from a
   * sequence that has acquired them.
   */
  keepToState(sequence: Sequence): void {
    sequence.partsAt = sequence.cached.length * pageTokens;
    while (sequence.cached.length > 0 && sequence.cached.at(-1)!.state === undefined) {
      const page = sequence.cached.pop()!;
      this.#pool.release(sequence.pages.pop()!);
      if (--page.users === 0) this.#tenants.get(page.holder)!.idle.add(page);
    }
    sequence.computed = sequence.pages.length * pageTokens;
  }

  /** Gives a sequence that is to run its slots, with the state in `from` or that of its last page. */
  takeSlots(sequence: Sequence, from: SlotId | undefined): void {
    sequence.slots = { ...this.#snapshots.slotsFor(sequence.cached.at(-1), from), tokens: sequence.computed };
  }

  /**
   * Takes a sequence's pages and slots from it; `keep` leaves those that are in the cache there, and the state behind the last token;
   * otherwise they go too.
   */
  release(sequence: Sequence, keep: boolean): void {
    const holders = new Set<TenantPages>();
    const goesOn = sequence.keepsTail || (sequence.slots && !sequence.states);
    const tail = keep && goesOn ? this.#keepTail(sequence) : undefined;
    if (tail) holders.add(this.#tenant(sequence.tenant));
    this.#releaseSlots(sequence, keep ? (tail ?? sequence.cached.at(-1)) : undefined);
    for (const block of sequence.pages) this.#pool.release(block);
    // From the end, so that a page is dropped before those it builds on.
    for (const page of sequence.cached.toReversed()) {
      if (--page.users > 0) continue;
      const holder = this.#tenants.get(page.holder)!;
      holder.idle.add(page);
      if (keep) holders.add(holder);
      else this.#drop(holder, page);
    }
    sequence.pages.length = 0;
    sequence.cached.length = 0;
    sequence.computed = 0;
    sequence.again = 0;
    for (const holder of holders) while (holder.idle.size > this.#quota) this.#dropOldest(holder);
  }

  /**
   * Drops idle pages until the pool can allocate `count` for `tenant`, or drops none when there are too few: those of
   * the tenant that is most above its floor first. A floor does not hold against its own tenant, nor against a `last`
   * resort.
   */
  makeRoom(tenant: string, count: number, last: boolean): boolean {
    if (this.#pool.canAllocate(count)) return true;
    const floor = last ? 0 : Math.floor((this.#pool.total * this.floor) / this.#tenants.size);
    const above = (held: TenantPages): number => Math.max(0, held.idle.size - (held.id === tenant ? 0 : floor));
    const holders = [...this.#tenants.values()];
    const droppable = holders.reduce((sum, held) => sum + above(held), 0);
    if (!(this.#pool.free + droppable >= count)) return false;
    while (!this.#pool.canAllocate(count)) this.#dropOldest(holders.reduce((a, b) => (above(b) > above(a) ? b : a)));
    return true;
  }

  /** Who holds a sequence's page: its tenant, or everyone. */
  #holderOf(sequence: Sequence, index: number): string {
    sequence.sharedPages ??= Math.max(0, ...this.#shared.map(prefix => sharedPages(prefix, sequence.tokens)));
    return index < sequence.sharedPages ? everyone : sequence.tenant;
  }

  /** The cached page that holds the sequence's next full page, compared token by token. */
  #find(tenant: TenantPages, sequence: Sequence): CachedPage | undefined {
    const until = (sequence.cached.length + 1) * pageTokens;
    return tenant.find(this.#place(sequence, until), () => this.#key(tenant, sequence));
  }

  /** Behind a sequence's cached pages. What tells adapters apart comes before the first page, and so before all. */
  #place({ cached, tokens, adapter }: Sequence, until: number): Place {
    const previous = cached.at(-1)?.key ?? adapter?.cacheSalt ?? '';
    return { previous, tokens, from: cached.length * pageTokens, until };
  }

  /** That of the sequence's next full page. */
  #key(tenant: TenantPages, sequence: Sequence): string {
    const index = sequence.cached.length;
    const { previous, tokens, from, until } = this.#place(sequence, (index + 1) * pageTokens);
    sequence.keys[index] ??= pageKey(tenant.secret, previous, tokens.slice(from, until));
    return sequence.keys[index];
  }

  #add(tenant: TenantPages, sequence: Sequence, block: BlockId): CachedPage | undefined {
    const key = this.#key(tenant, sequence);
    // Another page under this key would be a collision: it keeps its place.
    if (tenant.has(key)) return undefined;
    return this.#addAt(tenant, this.#place(sequence, (sequence.cached.length + 1) * pageTokens), key, block);
  }

  /** The tails that say no more than the new page are of no use any longer. */
  #addAt(tenant: TenantPages, place: Place, key: string, block: BlockId): CachedPage {
    const shorter = tenant.shorterTails(place);
    const { previous, from, until } = place;
    const tokens = place.tokens.slice(from, until);
    const page: CachedPage = { key, block, tokens, previous, holder: tenant.id, users: 0 };
    this.#pool.retain(block);
    tenant.add(page);
    // Afterwards: a tenant whose last page is dropped is forgotten.
    for (const tail of shorter) this.#drop(tenant, tail);
    return page;
  }

  /** Keeps the page that a sequence was writing to, unless another says the same or more. It is the first to go. */
  #keepTail(sequence: Sequence): CachedPage | undefined {
    const place = this.#place(sequence, sequence.computed);
    const count = place.until - place.from;
    const block = sequence.pages[sequence.cached.length];
    // A full page that is not in the cache has lost its place to another.
    if (count <= 0 || count >= pageTokens || block === undefined) return undefined;
    const tenant = this.#tenant(sequence.tenant);
    const longest = tenant.longest(place, true);
    if (longest?.tokens === count) {
      tenant.touch(longest.page);
      return longest.page;
    }
    const key = pageKey(tenant.secret, place.previous, place.tokens.slice(place.from, place.until));
    const tail = this.#addAt(tenant, place, key, block);
    tenant.idle.add(tail);
    return tail;
  }

  /** Its state stays behind its last page, if that ends where the state is. */
  #releaseSlots(sequence: Sequence, last: CachedPage | undefined): void {
    const { slots, computed, cached } = sequence;
    if (!slots) return;
    sequence.slots = undefined;
    this.#slots.release(slots.next);
    const end = last && cached.length * pageTokens + (last === cached.at(-1) ? 0 : last.tokens.length);
    const stays = end === computed && slots.tokens === computed && this.#snapshots.leave(last!, slots.current);
    if (!stays) this.#slots.release(slots.current);
  }

  #use(tenant: TenantPages, sequence: Sequence, page: CachedPage): void {
    tenant.idle.delete(page);
    page.users++;
    this.#pool.retain(page.block);
    sequence.keys[sequence.cached.length] = page.key;
    sequence.cached.push(page);
  }

  #dropOldest(tenant: TenantPages): void {
    const [oldest] = tenant.idle;
    if (!oldest) throw new Error('the tenant has no idle page');
    this.#drop(tenant, oldest);
  }

  #drop(tenant: TenantPages, page: CachedPage): void {
    tenant.remove(page);
    this.#snapshots.forget(page);
    this.#pool.release(page.block);
    if (tenant.size === 0) this.#tenants.delete(tenant.id);
  }

  #tenant(id: string): TenantPages {
    const known = this.#tenants.get(id);
    if (known) return known;
    const secret = this.#secrets.get(id) ?? newSecret();
    const tenant = new TenantPages(id, secret);
    this.#secrets.set(id, secret);
    this.#tenants.set(id, tenant);
    return tenant;
  }
}

/** Full pages at the beginning of `tokens` that are the prefix's. */
function sharedPages(prefix: readonly number[], tokens: readonly Token[]): number {
  const differs = prefix.findIndex((token, i) => token !== tokens[i]);
  return Math.floor((differs < 0 ? prefix.length : differs) / pageTokens);
}
