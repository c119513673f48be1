/**
 * A hash table from two 32-bit integers to one: merges by (left, right), tries by (node, unit).
 * Open addressing over one flat array, because a Map keyed by a composed number is several times slower, and these
 * look-ups are most of what a tokenizer does. The multipliers are random, so that a file cannot be crafted to collide.
 */
export class PairTable {
  readonly #a = (Math.random() * 0x40000000) | 1;
  readonly #b = (Math.random() * 0x40000000) | 1;
  #slots: Int32Array;
  #mask: number;
  #size = 0;

  constructor(expected = 16) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 2)));
    this.#slots = newSlots(capacity);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The value of (a, b), or -1. */
  get(a: number, b: number): number {
    const at = this.#find(a, b);
    return this.#slots[at] === EMPTY ? -1 : this.#slots[at + 2];
  }

  /** Sets the value of (a, b); keys and values are integers from 0 to 2^31-1, except that a value may be -1. */
  set(a: number, b: number, value: number): void {
    let at = this.#find(a, b);
    if (this.#slots[at] === EMPTY) {
      if (this.#size * 2 > this.#mask) {
        this.#grow();
        at = this.#find(a, b);
      }
      this.#slots[at] = a;
      this.#slots[at + 1] = b;
      this.#size++;
    }
    this.#slots[at + 2] = value;
  }

  has(a: number, b: number): boolean {
    return this.#slots[this.#find(a, b)] !== EMPTY;
  }

  #find(a: number, b: number): number {
    const slots = this.#slots;
    let hash = Math.imul(a, this.#a) + Math.imul(b ^ (a >>> 15), this.#b);
    hash ^= hash >>> 15;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 3;
      if (slots[at] === EMPTY || (slots[at] === a && slots[at + 1] === b)) return at;
    }
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = (this.#mask + 1) * 2;
    this.#slots = newSlots(capacity);
    this.#mask = capacity - 1;
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] !== EMPTY) this.#slots.set(old.subarray(at, at + 3), this.#find(old[at], old[at + 1]));
    }
  }
}

const EMPTY = -1;

function newSlots(capacity: number): Int32Array {
  return new Int32Array(capacity * 3).fill(EMPTY);
}
