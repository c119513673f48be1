/** Handle of a set of bytes, interned in its {@link ByteSets}: equal handles, equal sets. */
export type ByteSetId = number;

/** Sets of bytes: 256 bits each, hash-consed, with remembered unions and intersections. */
export class ByteSets {
  /** No byte, and every byte. */
  readonly none: ByteSetId;
  readonly all: ByteSetId;
  readonly #bits: Uint32Array[] = [];
  readonly #ids = new Map<string, ByteSetId>();
  readonly #unions = new Map<number, ByteSetId>();
  readonly #intersections = new Map<number, ByteSetId>();
  /** By byte: the set of it alone. */
  readonly #single: ByteSetId[] = [];
  /** The classes of bytes by the first sets, and how many sets these are. */
  readonly #classOf = new Uint8Array(256);
  #divided = 0;

  constructor() {
    this.none = this.#intern(new Uint32Array(8));
    this.all = this.#intern(new Uint32Array(8).fill(-1));
  }

  of(ranges: Iterable<readonly [from: number, to: number]>): ByteSetId {
    const bits = new Uint32Array(8);
    for (const [from, to] of ranges) {
      for (let byte = Math.max(from, 0); byte <= Math.min(to, 255); byte++) bits[byte >> 5] |= 1 << (byte & 31);
    }
    return this.#intern(bits);
  }

  byte(byte: number): ByteSetId {
    this.#single[byte] ??= this.of([[byte, byte]]);
    return this.#single[byte];
  }

  has(set: ByteSetId, byte: number): boolean {
    return ((this.#bits[set][byte >> 5] >>> (byte & 31)) & 1) === 1;
  }

  /** The set as inclusive ranges. */
  ranges(set: ByteSetId): [from: number, to: number][] {
    const ranges: [number, number][] = [];
    for (let byte = 0; byte < 256; byte++) {
      if (!this.has(set, byte)) continue;
      const last = ranges.at(-1);
      if (last?.[1] === byte - 1) last[1] = byte;
      else ranges.push([byte, byte]);
    }
    return ranges;
  }

  union(a: ByteSetId, b: ByteSetId): ByteSetId {
    if (a === b || b === this.none) return a;
    if (a === this.none) return b;
    return this.#combine(this.#unions, a, b, (x, y) => x | y);
  }

  intersection(a: ByteSetId, b: ByteSetId): ByteSetId {
    if (a === b || b === this.all) return a;
    if (a === this.all) return b;
    return this.#combine(this.#intersections, a, b, (x, y) => x & y);
  }

  /** For each byte its class: two bytes are in the same one when no set here tells them apart. */
  classes(): Uint8Array {
    const classOf = this.#classOf;
    /** By class, without and within a set: the class there, counted from 1. */
    const split = new Int16Array(512);
    for (; this.#divided < this.#bits.length; this.#divided++) {
      const bits = this.#bits[this.#divided];
      split.fill(0);
      let classes = 0;
      for (let byte = 0; byte < 256; byte++) {
        const part = classOf[byte] * 2 + ((bits[byte >> 5] >>> (byte & 31)) & 1);
        if (split[part] === 0) split[part] = ++classes;
        classOf[byte] = split[part] - 1;
      }
    }
    return classOf.slice();
  }

  #combine(
    known: Map<number, ByteSetId>,
    a: ByteSetId,
    b: ByteSetId,
    combine: (x: number, y: number) => number,
  ): ByteSetId {
    const key = Math.min(a, b) * 2 ** 24 + Math.max(a, b);
    let id = known.get(key);
    if (id === undefined) {
      const other = this.#bits[b];
      id = this.#intern(this.#bits[a].map((word, index) => combine(word, other[index])));
      known.set(key, id);
    }
    return id;
  }

  #intern(bits: Uint32Array): ByteSetId {
    const key = String.fromCharCode(...new Uint16Array(bits.buffer));
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#bits.push(bits) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }
}
