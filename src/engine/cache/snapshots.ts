import type { SequenceSlots } from '../sequence.ts';
import type { CachedPage } from './cached-page.ts';
import type { SlotId, StateSlots } from './state-slots.ts';

/**
 * The states that are kept behind cached pages, in models that keep one for each sequence. Whoever runs may need their slots, and so
 * may other states: the least recently used of the tenant that has most of them gives way, so nobody flushes another's.
 */
export class Snapshots {
  readonly #slots: StateSlots;
  /** Each holder's pages with a state, least recently used first. */
  readonly #pages = new Map<string, Set<CachedPage>>();

  constructor(slots: StateSlots) {
    this.#slots = slots;
  }

  /** Keeps a copy of the state in `from` behind a page. */
  keep(page: CachedPage, from: SlotId): void {
    if (page.state !== undefined) return this.touch(page);
    const most = this.#most();
    const own = this.#pages.get(page.holder);
    if (this.#slots.free === 0 && most) this.#forgetOldest(own && own.size >= most.size ? own : most);
    const slot = this.#slots.allocate();
    if (slot === undefined) return;
    this.#slots.copy(from, slot);
    this.#add(page, slot);
  }

  /** A sequence that ends leaves its slot, with its state, to a page. False: the page has the state already. */
  leave(page: CachedPage, slot: SlotId): boolean {
    if (page.state !== undefined) return false;
    this.#add(page, slot);
    return true;
  }

  forget(page: CachedPage): void {
    if (page.state === undefined) return;
    this.#slots.release(page.state);
    this.#remove(page);
  }

  touch(page: CachedPage): void {
    const pages = this.#pages.get(page.holder);
    if (pages?.delete(page)) pages.add(page);
  }

  /** Slots for a sequence that is to run, with the state in `from` or that of its last page, `own`. */
  slotsFor(own: CachedPage | undefined, from: SlotId | undefined): Omit<SequenceSlots, 'tokens'> {
    const state = from ?? own?.state;
    if (own) this.touch(own);
    const [current, next] = [this.#take(own), this.#take(own)];
    if (state !== undefined && state !== current) this.#slots.copy(state, current);
    return { current, next };
  }

  /** A free slot, or one of those kept; of the sequence's own page only where there are no others. */
  #take(own: CachedPage | undefined): SlotId {
    const others = this.#slots.free > 0 ? undefined : this.#most(own);
    if (others) this.#forgetOldest(others, own);
    else if (this.#slots.free === 0 && own) this.forget(own);
    const slot = this.#slots.allocate();
    if (slot === undefined) throw new Error('more sequences run than there are slots');
    return slot;
  }

  /** The pages of the holder that has most, beside one. */
  #most(but?: CachedPage): Set<CachedPage> | undefined {
    let most: Set<CachedPage> | undefined;
    const count = (pages: Set<CachedPage>) => pages.size - (but && pages.has(but) ? 1 : 0);
    for (const pages of this.#pages.values())
      if (count(pages) > 0 && (!most || count(pages) > count(most))) most = pages;
    return most;
  }

  #forgetOldest(pages: Set<CachedPage>, but?: CachedPage): void {
    for (const page of pages) {
      if (page !== but) return this.forget(page);
    }
  }

  #add(page: CachedPage, slot: SlotId): void {
    page.state = slot;
    const pages = this.#pages.get(page.holder);
    if (pages) pages.add(page);
    else this.#pages.set(page.holder, new Set([page]));
  }

  #remove(page: CachedPage): void {
    page.state = undefined;
    const pages = this.#pages.get(page.holder);
    pages?.delete(page);
    if (pages?.size === 0) this.#pages.delete(page.holder);
  }
}
