/** What is wrong with a module's bytes; becomes `program_invalid`. */
export class ModuleError extends Error {}

const names = new TextDecoder();

/** Reads the WebAssembly binary format's numbers and names; throws ModuleError at the end of `bytes`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    if (this.done) throw new ModuleError('it ends in the middle of a section');
    return this.bytes[this.at++];
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new ModuleError('a number has more than 32 bits');
  }

  /** A count of things of which each takes at least one byte. */
  count(what: string, limit: number): number {
    const count = this.u32();
    if (count > limit) throw new ModuleError(`it has ${count} ${what}; ${limit} are allowed`);
    return count;
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new ModuleError('it ends in the middle of a section');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  name(): string {
    return names.decode(this.take(this.u32()));
  }
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [value] : [low | 0x80, ...leb(Math.floor(value / 128))];
}
