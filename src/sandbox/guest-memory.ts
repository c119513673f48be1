const encoder = new TextEncoder();
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * A guest's memory, with every access checked against its size at that moment. Addresses and lengths arrive as i32
 * and are read as u32; their sum is a double here and cannot wrap around.
 */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  get byteLength(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Whether `length` bytes at `address` lie inside. */
  holds(address: number, length: number): boolean {
    return (address >>> 0) + (length >>> 0) <= this.byteLength;
  }

  /** A view that is valid until the guest runs again; undefined when it would reach outside. */
  bytes(address: number, length: number): Uint8Array | undefined {
    if (!this.holds(address, length)) return undefined;
    return new Uint8Array(this.#memory.buffer, address >>> 0, length >>> 0);
  }

  view(address: number, length: number): DataView | undefined {
    if (!this.holds(address, length)) return undefined;
    return new DataView(this.#memory.buffer, address >>> 0, length >>> 0);
  }

  /** The text there; bytes that are no UTF-8 read as U+FFFD. */
  text(address: number, length: number): string | undefined {
    const bytes = this.bytes(address, length);
    return bytes && lenient.decode(bytes);
  }

  /** `count` (below 2^30) unsigned 32-bit numbers; the address need not be aligned. */
  words(address: number, count: number): number[] | undefined {
    const view = this.view(address, count * 4);
    return view && Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true));
  }

  /** Adds fresh zeroed pages; how many it had before, undefined when it may not grow so far. */
  grow(pages: number): number | undefined {
    try {
      return this.#memory.grow(pages);
    } catch {
      return undefined;
    }
  }
}

/** Writes as much of `text` as fits, never half a character; returns the bytes written. */
export function writeText(text: string, target: Uint8Array): number {
  return encoder.encodeInto(text, target).written;
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}
