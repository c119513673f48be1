import { RealmError } from '../errors.ts';
import type { Scales } from './fields.ts';
import { formats } from './formats.ts';
import type { QuantType } from './types.ts';

const F16_EXPONENT = 0x7c00;
const F32_EXPONENT = 0x7f80; // of the upper half, which is also BF16

/**
 * Throws `model_invalid` when a scale among `bytes` (whole blocks, in the file's layout) is infinite or NaN: one such
 * block makes every later token NaN, so it is refused before the first.
 */
export function checkScales(name: string, type: QuantType, bytes: Uint8Array): void {
  const at = badScale(type, bytes);
  if (at >= 0) throw nonFinite(name, type, at);
}

/** Whether {@link checkScales} would throw. */
export function hasBadScale(type: QuantType, bytes: Uint8Array): boolean {
  return badScale(type, bytes) >= 0;
}

/** Byte offset of a scale that is not finite, or -1. */
function badScale(type: QuantType, bytes: Uint8Array): number {
  const { blockBytes, scales } = formats[type];
  const { offsets, kind } = scales;
  if (kind === 'E8M0') return badByte(0xff, blockBytes, offsets, bytes);
  if (kind === 'UE4M3') return badByte(0x7f, blockBytes, offsets, bytes);
  if (kind === 'F16x4') return badNibbles(blockBytes, offsets, bytes);
  const exponent = (kind === 'F16' ? F16_EXPONENT : F32_EXPONENT) >>> 8;
  for (const offset of offsets) {
    for (let at = kind === 'F32' ? offset + 2 : offset; at < bytes.length; at += blockBytes) {
      if ((bytes[at + 1] & exponent) === exponent && isBad(kind, bytes[at])) return at;
    }
  }
  return -1;
}

/** Of bytes, those are NaN whose bits of `nan` are all set. */
function badByte(nan: number, blockBytes: number, offsets: readonly number[], bytes: Uint8Array): number {
  for (const offset of offsets) {
    for (let at = offset; at < bytes.length; at += blockBytes) if (((bytes[at] as number) & nan) === nan) return at;
  }
  return -1;
}

/** The exponent is in the two highest nibbles. */
function badNibbles(blockBytes: number, offsets: readonly number[], bytes: Uint8Array): number {
  for (const offset of offsets) {
    for (let at = offset; at < bytes.length; at += blockBytes)
      if (((bytes[at + 7] as number) & 0x70) === 0x70 && ((bytes[at + 5] as number) & 0xc0) === 0xc0) return at;
  }
  return -1;
}

/** The rest of the exponent is in the low byte, but for F16. */
const isBad = (kind: Scales['kind'], low: number): boolean => kind === 'F16' || (low & 0x80) !== 0;

function nonFinite(name: string, type: QuantType, at: number): RealmError {
  const where = `tensor ${name} (${type}) holds an infinite scale or NaN at byte ${at}`;
  return new RealmError('model_invalid', `${where}; the file is damaged, download it again`);
}
