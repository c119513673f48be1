import { escapeText } from './escape.ts';
import { limits } from './limits.ts';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** Bytes of the first read; each later one takes twice as many, up to {@link mostChunkBytes}. */
const firstChunkBytes = 256 * 2 ** 10;
const mostChunkBytes = 4 * 2 ** 20;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a header front to back through a window of its bytes. `await fill(n)` makes the window hold
 * the next n bytes; the getters take them without waiting, so that a vocabulary of 262,144 strings costs a few reads
 * and not one each.
 */
export class Cursor {
  readonly reader: Reader;
  #window: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Position of the next byte in the window. */
  #at = 0;
  /** Position of the window in the file. */
  #start = 0;
  #chunkBytes = firstChunkBytes;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** Position of the next byte in the file. */
  get position(): number {
    return this.#start + this.#at;
  }

  /** Bytes from here to the end of the file. */
  get remaining(): number {
    return this.reader.size - this.position;
  }

  /** Whether the next `bytes` bytes must be filled first. */
  needs(bytes: number): boolean {
    return this.#at + bytes > this.#window.length;
  }

  /** Moves the window so that it holds the next `bytes` bytes; `gguf_truncated` when the file has fewer. */
  async fill(bytes: number): Promise<void> {
    if (!this.needs(bytes)) return;
    this.require(bytes, 'the next field');
    const position = this.position;
    const length = Math.min(Math.max(bytes, this.#chunkBytes), this.remaining);
    this.#chunkBytes = Math.min(2 * this.#chunkBytes, mostChunkBytes);
    this.#window = await this.reader.read(position, length);
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
    this.#start = position;
    this.#at = 0;
  }

  /** Throws unless the file has `bytes` more bytes and the header may still take them. */
  require(bytes: number, what: string): void {
    if (bytes > this.remaining) {
      const message = `${what} needs ${bytes} bytes and ${this.remaining} remain: it is cut off or damaged; download it again`;
      refuse('gguf_truncated', this.reader.name, message);
    }
    if (this.position + bytes > limits.headerBytes) {
      refuse('gguf_limit', this.reader.name, `the header takes more than ${limits.headerBytes} bytes`);
    }
  }

  /** Takes the next `bytes` bytes of the window. */
  #take(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  u8 = () => this.#view.getUint8(this.#take(1));
  i8 = () => this.#view.getInt8(this.#take(1));
  u16 = () => this.#view.getUint16(this.#take(2), true);
  i16 = () => this.#view.getInt16(this.#take(2), true);
  u32 = () => this.#view.getUint32(this.#take(4), true);
  i32 = () => this.#view.getInt32(this.#take(4), true);
  f32 = () => this.#view.getFloat32(this.#take(4), true);
  f64 = () => this.#view.getFloat64(this.#take(8), true);
  u64 = () => this.#view.getBigUint64(this.#take(8), true);
  i64 = () => this.#view.getBigInt64(this.#take(8), true);

  /** A u64 that counts something; not exact above 2^53, where every later check refuses it. */
  count = () => this.#countAt(this.#take(8));

  #countAt(at: number): number {
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** The next `length` bytes, copied out of the window. */
  bytes(length: number): Uint8Array {
    return this.#window.slice(this.#at, this.#take(length) + length);
  }

  /** A string: u64 length, UTF-8 bytes. `what` is called for the name of the field when a message needs it. */
  async string(most: number, what: () => string): Promise<string> {
    await this.fill(8);
    const length = this.#countAt(this.#at);
    if (length > this.remaining - 8) this.require(length + 8, what());
    if (length > most)
      refuse('gguf_limit', this.reader.name, `${what()} takes ${length} bytes; at most ${most} are read`);
    await this.fill(8 + length);
    this.#take(8);
    return this.#text(length, what);
  }

  /** The same without waiting; undefined, and nothing taken, when the window does not hold all of it or it is too long. */
  bufferedString(most: number, what: () => string): string | undefined {
    if (this.needs(8)) return undefined;
    const length = this.#countAt(this.#at);
    if (length > most || this.needs(8 + length)) return undefined;
    this.#take(8);
    return this.#text(length, what);
  }

  #text(length: number, what: () => string): string {
    const start = this.#take(length);
    const end = start + length;
    return (length <= 16 ? shortText(this.#window, start, end) : undefined) ?? this.#decode(start, end, what);
  }

  #decode(start: number, end: number, what: () => string): string {
    try {
      return utf8.decode(this.#window.subarray(start, end));
    } catch (error) {
      return refuse('gguf_invalid', this.reader.name, `${what()} is not valid UTF-8`, error);
    }
  }
}

/**
 * Most strings of a vocabulary have a few characters of one or two bytes, such as GPT-2's Ġ for a space; a TextDecoder call
 * costs more than they do. Undefined: other characters, or no UTF-8.
 */
export function shortText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    const next = bytes[i + 1] as number;
    if (byte < 0x80) text += String.fromCharCode(byte);
    else if (byte < 0xc2 || byte > 0xdf || ++i === end || (next & 0xc0) !== 0x80) return undefined;
    else text += String.fromCharCode(((byte & 0x1f) << 6) | (next & 0x3f));
  }
  return text;
}

/** A field's name for messages. */
export function named(kind: string, name: string): string {
  return `${kind} "${escapeText(name)}"`;
}
