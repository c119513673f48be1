/** Number of a page of the KV cache. */
export type BlockId = number & { readonly __block: never };

/**
 * Who holds the pages of the KV cache: pure counting, the bytes are the backend's. A page is free or has references;
 * the last release frees it. Pages that were freed last are given out first, so the pool touches no more memory than
 * it ever needed at once.
 */
export class BlockPool {
  readonly total: number;
  readonly #free: BlockId[];
  readonly #references: Int32Array; // [total]
  readonly #allocations: Int32Array; // [total]
  #touched = 0;

  constructor(total: number) {
    this.total = total;
    this.#free = Array.from({ length: total }, (_, i) => (total - 1 - i) as BlockId);
    this.#references = new Int32Array(total);
    this.#allocations = new Int32Array(total);
  }

  get free(): number {
    return this.#free.length;
  }

  get used(): number {
    return this.total - this.#free.length;
  }

  /** Pages that were given out at least once: what memory the pool has ever needed. */
  get touched(): number {
    return this.#touched;
  }

  references(block: BlockId): number {
    return this.#references[block] ?? 0;
  }

  /** Times that the page was given out: whoever noted something about it knows whether it is still the same use. */
  allocation(block: BlockId): number {
    return this.#allocations[block] ?? 0;
  }

  canAllocate(count: number): boolean {
    return count <= this.#free.length;
  }

  /** `count` pages with one reference each; ask canAllocate first. */
  allocate(count: number): BlockId[] {
    if (!this.canAllocate(count)) throw new Error(`${count} pages asked, ${this.#free.length} free`);
    const blocks = this.#free.splice(this.#free.length - count).reverse();
    for (const block of blocks) {
      this.#references[block] = 1;
      const allocations = this.allocation(block);
      if (allocations === 0) this.#touched++;
      this.#allocations[block] = allocations + 1;
    }
    return blocks;
  }

  retain(block: BlockId): void {
    this.#references[block] = this.#used(block) + 1;
  }

  release(block: BlockId): void {
    const references = this.#used(block) - 1;
    this.#references[block] = references;
    if (references === 0) this.#free.push(block);
  }

  /** The references of a page in use. */
  #used(block: BlockId): number {
    const references = this.references(block);
    if (references <= 0) throw new Error(`page ${block} is not in use`);
    return references;
  }
}
