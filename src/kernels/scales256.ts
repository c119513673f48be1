/** How the integer scales of parts of a block of 256 become 16-bit lanes. */
import { codeKey, type Parts } from '../quant/codes.ts';
import type { QuantFormat } from '../quant/format.ts';
import { i16x8, i32x4, type Local, v128 } from './assembler.ts';
import { type ConstantOf, type Pair, pair } from './constants.ts';
import { packedAt } from './layout.ts';

/**
 * Scales of parts 2i and 2i + 1 of each row, as a pair of 16-bit lanes.
 * @param w the block's first byte
 */
export type PartScales = (w: Local<'i32'>, constantOf: ConstantOf, i: number) => Pair;

export interface Unpacked {
  readonly scales: PartScales;
  /** The same for the minimums. */
  readonly minimums?: PartScales;
}

const bytePairs = (w: Local<'i32'>, offset: number): Pair => pair(h => v128.load8x8u(w, offset + 8 * h));

/** 6-bit scales and minimums of 8 parts in 12 bytes, see quant/six-bits.ts; pairs 2 and 3 are split over two bytes. */
const sixBits =
  (offset: number, minimum: 0 | 1): PartScales =>
  (w, c, i) => {
    const whole = bytePairs(w, offset + 16 * ((i & 1) + 2 * minimum));
    if (i < 2) return pair(h => v128.and(whole[h], c('i16_63')[h]));
    const split = bytePairs(w, offset + 16 * (4 + (i & 1)));
    return pair(h =>
      v128.or(
        minimum ? i16x8.shrU(split[h], 4) : v128.and(split[h], c('i16_15')[h]),
        v128.and(i16x8.shrU(whole[h], 2), c('i16_48')[h]),
      ),
    );
  };

const nibblesAndTwoBits =
  ([nibbles, twoBits]: readonly number[]): PartScales =>
  (w, c, i) => {
    const low = bytePairs(w, nibbles + 16 * (i & 3));
    const high = bytePairs(w, twoBits + 16 * (i & 1));
    const highShift = 2 * (i >> 1);
    return pair(h =>
      v128.or(
        v128.and(i16x8.shrU(low[h], 4 * (i >> 2)), c('i16_15')[h]),
        v128.and(i16x8.shl(i16x8.shrU(high[h], highShift), 4), c('i16_48')[h]),
      ),
    );
  };

const nibblesAndWord =
  ([nibbles, word]: readonly number[]): PartScales =>
  (w, c, i) => {
    const high = pair(h => v128.load16x4u(w, word + 8 * h));
    return pair(h => {
      const bytes = v128.load8x8u(w, nibbles + 16 * (i >> 1) + 8 * h);
      const byte = i & 1 ? i32x4.shrU(bytes, 16) : v128.and(bytes, c('low16')[h]);
      const lowBits = v128.or(v128.and(byte, c('low4')[h]), v128.and(i32x4.shl(byte, 12), c('high4')[h]));
      const pairOf = i32x4.shrU(high[h], 4 * i);
      const highBits = v128.or(
        v128.and(i32x4.shl(pairOf, 4), c('scale45')[h]),
        v128.and(i32x4.shl(pairOf, 18), c('scale2021')[h]),
      );
      return v128.or(lowBits, highBits);
    });
  };

/**
 * The instructions for each way in which scales stand in a block, see {@link codeKey}. A format with another way needs a
 * line here; every other none.
 * @param at where the fields of the bits begin in a packed group
 */
const unpackers: Readonly<Record<string, (at: readonly number[]) => Unpacked>> = {
  '4x16': ([from]) => ({
    scales: (w, c, i) => pair(h => v128.and(bytePairs(w, from + 16 * i)[h], c('i16_15')[h])),
    minimums: (w, _, i) => pair(h => i16x8.shrU(bytePairs(w, from + 16 * i)[h], 4)),
  }),
  '4x8+2x4': at => ({ scales: nibblesAndTwoBits(at) }),
  '4x1+2x1': at => ({ scales: nibblesAndWord(at) }),
  '6x12': ([from]) => ({ scales: sixBits(from, 0), minimums: sixBits(from, 1) }),
  '8x1 signed': ([from]) => ({ scales: (w, _, i) => pair(h => v128.load8x8s(w, from + 16 * i + 8 * h)) }),
};

export function partScalesOf(format: QuantFormat, parts: Parts): Unpacked {
  const unpack = unpackers[codeKey(parts)];
  if (!unpack) throw new Error(`${format.name}: no kernel unpacks scales of ${codeKey(parts)}`);
  const found = unpack(parts.bits.map(({ field }) => packedAt(format, field)));
  if (!parts.subtract) return found;
  if (parts.subtract !== 32)
    throw new Error(`${format.name}: kernels have no constant for scales less ${parts.subtract}`);
  const { scales } = found;
  return { scales: (w, c, i) => less32(scales(w, c, i), c) };
}

const less32 = (scales: Pair, c: ConstantOf): Pair => pair(h => i16x8.sub(scales[h], c('i16_32')[h]));
