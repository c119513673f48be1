/** Number of a slot for a state of fixed size. */
export type SlotId = number & { readonly __slot: never };

/**
 * Who holds the slots of models whose layers keep a state of fixed size for each sequence, and which states are to be copied: pure
 * counting, the bytes are the backend's. A slot has one holder, a running sequence or a page of the prefix cache. Other models
 * have no slots, and nothing here is ever asked of them.
 */
export class StateSlots {
  readonly total: number;
  readonly #free: SlotId[];
  #copies: number[] = [];

  constructor(total: number) {
    this.total = total;
    this.#free = Array.from({ length: total }, (_, i) => (total - 1 - i) as SlotId);
  }

  get free(): number {
    return this.#free.length;
  }

  /** Nothing when all are held. */
  allocate(): SlotId | undefined {
    return this.#free.pop();
  }

  release(slot: SlotId): void {
    if (this.#free.includes(slot)) throw new Error(`slot ${slot} is not in use`);
    this.#free.push(slot);
  }

  /** The state goes on in `to` too, before the next batch. A slot that is freed meanwhile keeps its content until then. */
  copy(from: SlotId, to: SlotId): void {
    this.#copies.push(from, to);
  }

  /** What is to be copied, in this order, since the last time. [copies, 2] */
  takeCopies(): Int32Array {
    return Int32Array.from(this.#copies.splice(0));
  }
}
