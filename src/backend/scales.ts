import { RealmError } from '../errors.ts';
import { formats } from '../quant/formats.ts';
import type { QuantType } from '../quant/types.ts';

/** Byte offsets of the f16 scales in a block (Q8_K's is f32, at 0). A float format is its own scale. */
const f16Scales: Partial<Record<QuantType, readonly number[]>> = {
  F16: [0],
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ4_NL: [0],
  IQ4_XS: [0],
};

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
  const { blockBytes } = formats[type];
  const { offsets, kind } = scalesOf(type);
  const exponent = (kind === 'F16' ? F16_EXPONENT : F32_EXPONENT) >>> 8;
  for (const offset of offsets) {
    for (let at = kind === 'F32' ? offset + 2 : offset; at < bytes.length; at += blockBytes) {
      if ((bytes[at + 1] & exponent) === exponent && isBad(kind, bytes[at])) return at;
    }
  }
  return -1;
}

/** The rest of the exponent is in the low byte, but for F16. */
const isBad = (kind: 'F16' | 'BF16' | 'F32', low: number): boolean => kind === 'F16' || (low & 0x80) !== 0;

/** Where the scales of a block stand, in bytes from its start, and as what kind of number. */
export function scalesOf(type: QuantType): { offsets: readonly number[]; kind: 'F16' | 'BF16' | 'F32' } {
  const offsets = f16Scales[type];
  if (offsets) return { offsets, kind: 'F16' };
  return { offsets: [0], kind: type === 'BF16' ? 'BF16' : 'F32' };
}

function nonFinite(name: string, type: QuantType, at: number): RealmError {
  const where = `tensor ${name} (${type}) holds an infinite scale or NaN at byte ${at}`;
  return new RealmError('model_invalid', `${where}; the file is damaged, download it again`);
}
