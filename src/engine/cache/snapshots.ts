import type { CachedPage } from './cached-page.ts';
import type { SlotId, StateSlots } from './state-slots.ts';

/** The states that are kept behind cached pages, in models that keep one for each sequence: whoever runs may need their slots. */
export class Snapshots {
  readonly #slots: StateSlots;
  /** Pages with a state, oldest first. */
  readonly #pages = new Set<CachedPage>();

  constructor(slots: StateSlots) {
    this.#slots = slots;
  }

  /** Keeps the state in `from` behind a page if a slot is free. */
  keep(page: CachedPage, from: SlotId): void {
    if (page.state !== undefined) return;
    page.state = this.#slots.allocate();
    if (page.state === undefined) return;
    this.#pages.add(page);
    this.#slots.copy(from, page.state);
  }

  forget(page: CachedPage): void {
    if (page.state === undefined) return;
    this.#slots.release(page.state);
    this.#pages.delete(page);
    page.state = undefined;
  }

  /**
   * A slot for a sequence that is to run, with the state in `from` or that of its last page, `own`. States of other pages are given up
   * for it; if there are no others, its own page's.
   */
  slotFor(own: CachedPage | undefined, from: SlotId | undefined): SlotId {
    const [oldest] = this.#slots.free === 0 ? [...this.#pages].filter(page => page !== own) : [];
    if (oldest) this.forget(oldest);
    const state = from ?? own?.state;
    const slot = this.#slots.allocate() ?? this.#taken(own);
    if (slot === undefined) throw new Error('more sequences run than there are slots');
    if (state !== undefined && state !== slot) this.#slots.copy(state, slot);
    return slot;
  }

  /** The slot of a page's own state. */
  #taken(own: CachedPage | undefined): SlotId | undefined {
    const slot = own?.state;
    if (!own || slot === undefined) return undefined;
    own.state = undefined;
    this.#pages.delete(own);
    return slot;
  }
}
