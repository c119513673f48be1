import { GuestError } from '../abi.ts';
import { encodeText, type GuestMemory } from '../guest-memory.ts';
import { MAX_TEXT_BYTES } from '../limits.ts';
import { Refusal } from './refusal.ts';
import { wrong } from './sampler.ts';

/** Bytes that are copied for a unit of fuel. */
const BYTES_A_UNIT = 8;

/** Reading a call's arguments from a program's memory and writing its answer there; throws -1 where that is not inside. */
export class Arguments {
  readonly #memory: () => GuestMemory | undefined;
  readonly #spend: (units: number) => void;

  constructor(memory: () => GuestMemory | undefined, spend: (units: number) => void) {
    this.#memory = memory;
    this.#spend = spend;
  }

  text(at: number, length: number, most = MAX_TEXT_BYTES): string {
    if (length >>> 0 > most) throw wrong(`a text of ${length >>> 0} bytes; ${most} are allowed`);
    const text = this.#memory()?.text(at, length);
    if (text === undefined) throw outside(at, length);
    this.#spend(length / BYTES_A_UNIT);
    return text;
  }

  /** Unsigned numbers of 32 bits, a copy. */
  words(at: number, count: number, most = MAX_TEXT_BYTES / 4): Uint32Array {
    if (count >>> 0 > most) throw wrong(`a list of ${count >>> 0}; ${most} are allowed`);
    return new Uint32Array(this.bytes(at, count * 4).slice().buffer);
  }

  /** Valid until the program runs again. */
  bytes(at: number, length: number): Uint8Array {
    const bytes = this.#memory()?.bytes(at, length);
    if (!bytes) throw outside(at, length);
    this.#spend(length / BYTES_A_UNIT);
    return bytes;
  }

  view(at: number, length: number): DataView {
    const view = this.#memory()?.view(at, length);
    if (!view) throw outside(at, length);
    return view;
  }

  /** Asked before anything is computed for what will be written there. Room 0 asks for the size. */
  checkRoom(at: number, units: number, unitBytes = 1): void {
    if (units === 0) return;
    const bytes = (units >>> 0) * unitBytes;
    if (bytes > 0xffff_ffff || !this.#memory()?.holds(at, bytes)) throw outside(at, bytes);
  }

  /** All bytes, or none (-3). */
  write(bytes: Uint8Array, at: number, room: number, unitBytes = 1): number {
    const units = bytes.length / unitBytes;
    if (room === 0) return units;
    if (units > room >>> 0) throw tooSmall(units, room >>> 0);
    this.bytes(at, bytes.length).set(bytes);
    return units;
  }

  writeText(text: string, at: number, room: number): number {
    return this.write(encodeText(text), at, room);
  }

  /** Numbers of 32 bits. */
  writeWords(words: Uint32Array | Int32Array | Float32Array, at: number, room: number): number {
    return this.write(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), at, room, 4);
  }
}

const outside = (at: number, length: number): Refusal =>
  new Refusal(GuestError.invalidPointer, `${length >>> 0} bytes at ${at >>> 0} are not inside of the memory`);

export const tooSmall = (needed: number, room: number): Refusal =>
  new Refusal(GuestError.bufferTooSmall, `there is room for ${room}, and ${needed} are needed`);
