import { changedOptions, GuestError, OPTIONS_BYTES, readOptions } from './abi.ts';
import { encodeText, type GuestMemory } from './guest-memory.ts';
import { MAX_TEXT_BYTES } from './limits.ts';
import type { HostReply } from './messages.ts';
import type { GenOptions } from './types.ts';

/** Reading a host call's arguments from a program's memory, and writing its answer there. A number is an error code. */

export function readText(memory: GuestMemory, address: number, length: number): string | number {
  if (length >>> 0 > MAX_TEXT_BYTES) return GuestError.invalidArgument;
  return memory.text(address, length) ?? GuestError.invalidPointer;
}

/** As one object: there may be a million of them, and they go on to other threads. */
export function readTokens(memory: GuestMemory, address: number, count: number): Uint32Array | number {
  if (count >>> 0 > MAX_TEXT_BYTES / 4) return GuestError.invalidArgument;
  const words = memory.words(address, count >>> 0);
  return words ? Uint32Array.from(words) : GuestError.invalidPointer;
}

/** What the options there differ in from those that the program was given; address 0 stands for these. */
export function readChangedOptions(
  memory: GuestMemory,
  address: number,
  given: GenOptions,
): Partial<GenOptions> | number {
  if (address === 0) return {};
  const view = memory.view(address, OPTIONS_BYTES);
  if (!view) return GuestError.invalidPointer;
  const { options, stopTokenCount, stopTokensPtr } = readOptions(view);
  const stopTokens = stopTokenCount === 0 ? [] : memory.words(stopTokensPtr, stopTokenCount);
  if (!stopTokens) return GuestError.invalidPointer;
  const floats = [options.temperature, options.topP, options.repetitionPenalty];
  if (!floats.every(Number.isFinite)) return GuestError.invalidArgument;
  return changedOptions(given, { ...options, stopTokens });
}

/** Writes a whole text, or nothing: half a JSON document helps nobody. Room 0 asks for the number of bytes. */
export function writeTextAnswer(memory: GuestMemory, reply: HostReply, address: number, room: number): number {
  if (typeof reply !== 'string') return reply as number;
  const bytes = encodeText(reply);
  if (room === 0) return bytes.length;
  if (bytes.length > room >>> 0) return GuestError.bufferTooSmall;
  const target = memory.bytes(address, bytes.length);
  if (!target) return GuestError.invalidPointer;
  target.set(bytes);
  return bytes.length;
}

/** Writes all tokens, or nothing. Room 0 asks for their number. */
export function writeTokensAnswer(memory: GuestMemory, reply: HostReply, address: number, room: number): number {
  if (typeof reply === 'number' || typeof reply === 'string') return reply as number;
  if (room === 0) return reply.length;
  if (reply.length > room >>> 0) return GuestError.bufferTooSmall;
  const view = memory.view(address, reply.length * 4);
  if (!view) return GuestError.invalidPointer;
  for (const [index, token] of reply.entries()) view.setUint32(index * 4, token, true);
  return reply.length;
}
