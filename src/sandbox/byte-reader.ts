/** What is wrong with a module's bytes; becomes `program_invalid`. */
export class ModuleError extends Error {}

const names = new TextDecoder();

/** Reads the WebAssembly binary format's numbers and names; throws ModuleError at the end of `bytes`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;
  readonly #what: string;

  /** `what` names the bytes in errors. */
  constructor(bytes: Uint8Array, what = 'it') {
    this.bytes = bytes;
    this.#what = what;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw this.#ended();
    this.at++;
    return byte;
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

  /** The next byte, which is read again. */
  peek(): number {
    const byte = this.byte();
    this.at--;
    return byte;
  }

  /** Passes over a LEB128 number of any width and sign. */
  skipNumber(): void {
    while (this.byte() >= 0x80) {}
  }

  skip(length: number): void {
    if (length > this.bytes.length - this.at) throw this.#ended();
    this.at += length;
  }

  /** A value or reference type: one byte, or two kinds of reference that name a heap type by a number. */
  valueType(): Uint8Array {
    const start = this.at;
    const code = this.byte();
    if (code === 0x63 || code === 0x64) this.skipNumber();
    return this.bytes.subarray(start, this.at);
  }

  /** A count of things of which each takes at least one byte. */
  count(what: string, limit: number): number {
    const count = this.u32();
    if (count > limit) throw new ModuleError(`it has ${count} ${what}; ${limit} are allowed`);
    return count;
  }

  take(length: number): Uint8Array {
    this.skip(length);
    return this.bytes.subarray(this.at - length, this.at);
  }

  name(): string {
    return names.decode(this.take(this.u32()));
  }

  #ended(): ModuleError {
    return new ModuleError(`${this.#what} ends too early`);
  }
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [value] : [low | 0x80, ...leb(Math.floor(value / 128))];
}

/** Signed LEB128 of a number that is not negative. */
export function signedLeb(value: number): number[] {
  const low = value % 128;
  return value < 64 ? [value] : [low | 0x80, ...signedLeb(Math.floor(value / 128))];
}
