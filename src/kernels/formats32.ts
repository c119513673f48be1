/** How the formats with 32, 64 or 128 weights in a block unpack. All but the instructions follows from the format's descriptor. */
import { type Codes, codeKey, codeWidth } from '../quant/codes.ts';
import type { QuantFormat } from '../quant/format.ts';
import { formats } from '../quant/formats.ts';
import { i8x16, i16x8, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type ConstantOf, tableConstant, tableOffset } from './constants.ts';
import { type Dot, type Plane, stepsPerSum } from './dot.ts';
import { groupRows, kernelForm, packedAt } from './layout.ts';

/** Columns 4 step .. 4 step + 3 of rows 0-3 (half 0) or 4-7 of the block at w, each a byte 0..127. */
type Weights = (w: Local<'i32'>, step: number, half: 0 | 1, constantOf: ConstantOf, dot: Dot) => V128;

/** The weights of a plane; their sum, less the offset, are the format's integers. */
interface Unpacked {
  readonly weights: Weights;
  readonly bits: number;
  readonly times: Plane['times'];
}

export interface Format32 {
  readonly name: string;
  readonly groupBytes: number;
  /** Blocks of 32 activations that a block of weights is multiplied with. */
  readonly inputs: number;
  readonly planes: readonly (Plane & { readonly weights: Weights })[];
  /** log2 of what is subtracted from every weight; absent: nothing. */
  readonly offsetShift?: number;
  readonly scaleAt: number;
  /** The scale is E8M0 instead of f16, twice as large as it should be. */
  readonly powerScale: boolean;
  /** Weights are looked up in a table, which the re-vectoriser cannot do. */
  readonly lookedUp: boolean;
  /** f16 minimum, added to every weight times the scale. */
  readonly minimumAt?: number;
}

const nibbles: Weights = (w, step, half, constantOf) => {
  const bytes = v128.load(w, 32 * (step & 3) + 16 * half);
  return v128.and(step < 4 ? bytes : i16x8.shrU(bytes, 4), constantOf('nibble')[half]);
};

/** The fifth bits: one 32-bit word a row, bit i for column i; spread over four bytes by a multiplication. */
const fifthBits =
  (at: number): Weights =>
  (w, step, half, constantOf, dot) => {
    const bits = v128.and(i32x4.shrU(v128.load(w, at + 16 * half), 4 * step), constantOf('low4')[half]);
    const spread = v128.and(i32x4.mul(bits, constantOf('spread')[half]), constantOf('bit0')[half]);
    return v128.or(nibbles(w, step, half, constantOf, dot), i32x4.shl(spread, 4));
  };

const lowNibbles: Weights = (w, step, half, c) => v128.and(v128.load(w, 32 * step + 16 * half), c('nibble')[half]);

/** Of bytes w + 128: the sign bit is flipped for the 128. */
const highNibbles: Weights = (w, step, half, c) =>
  v128.xor(v128.and(i16x8.shrU(v128.load(w, 32 * step + 16 * half), 4), c('nibble')[half]), c('eight')[half]);

/** Codes of `width` bits, those of columns 4 step .. 4 step + 3 in the bytes of a word at the same place. */
const inWords =
  (width: 1 | 2, at: number): Weights =>
  (w, step, half, c) => {
    const planes = 8 / width;
    const words = v128.load(w, at + 32 * Math.floor(step / planes) + 16 * half);
    const shift = width * (step % planes);
    if (width === 2) return v128.and(shift ? i16x8.shrU(words, shift) : words, c('three')[half]);
    // Twice the bit: odd numbers are that less 1.
    return v128.and(shift ? i16x8.shrU(words, shift - 1) : i16x8.shl(words, 1), c('bit1')[half]);
  };

const lookUp =
  (table: ConstantName): Weights =>
  (w, step, half, constantOf, dot) => {
    const swizzle = dot === 'plain' ? i8x16.swizzle : i8x16.relaxedSwizzle;
    return swizzle(constantOf(table)[half], nibbles(w, step, half, constantOf, dot));
  };

function ofTable(table: Int8Array | undefined): readonly Unpacked[] {
  const { name, indices } = tableConstant(table);
  const values: Unpacked = { weights: lookUp(name), bits: 5, times: 1 };
  return indices ? [{ weights: nibbles, bits: 4, times: 15 }, values] : [values];
}

/**
 * The instructions for each way in which the bits of weights stand in a block, see {@link codeKey}: one plane, or two for
 * eight bits. A format with another way needs a line here; every other none.
 * @param at where the fields of the bits begin in a packed group
 */
const unpackers: Readonly<Record<string, (at: readonly number[], weights: Codes) => readonly Unpacked[]>> = {
  '4x16': () => [{ weights: nibbles, bits: 4, times: 1 }],
  '4x16+1x1': ([, high]) => [{ weights: fifthBits(high), bits: 5, times: 1 }],
  '4x16 of a table': (_, { table }) => ofTable(table),
  '8x1 signed': () => [
    { weights: lowNibbles, bits: 4, times: 1 },
    { weights: highNibbles, bits: 4, times: 16 },
  ],
  '1x4 odd': ([at]) => [{ weights: inWords(1, at), bits: 2, times: 1 }],
  '2x4': ([at]) => [{ weights: inWords(2, at), bits: 2, times: 1 }],
};

/** What the kernels need to know of a format; undefined: it is none of theirs. */
export function format32(format: QuantFormat): Format32 | undefined {
  const { name, blockSize, blockBytes, fields, integers } = format;
  if (integers?.inputBlock !== 32) return undefined;
  const { weights, scale, factor, minimum } = integers;
  if (!('bits' in weights)) throw new Error(`${name}: no kernel unpacks a codebook in blocks of ${blockSize}`);
  const powerScale = fields[scale]?.type === 'E8M0';
  if (factor !== (powerScale ? 1 / 2 : 1)) throw new Error(`${name}: no kernel multiplies its scale with ${factor}`);
  const unpack = unpackers[codeKey(weights)];
  if (!unpack) throw new Error(`${name}: no kernel unpacks ${codeKey(weights)} in blocks of ${blockSize}`);
  const found = unpack(
    weights.bits.map(({ field }) => packedAt(format, field)),
    weights,
  );
  const offset = weights.odd ? offsetOf(weights) - 1 : offsetOf(weights);
  return {
    name,
    groupBytes: groupRows * blockBytes,
    inputs: blockSize / 32,
    planes: found.map(({ weights, bits, times }) => ({ weights, times, perSum: stepsPerSum(bits) })),
    ...(offset > 0 && { offsetShift: Math.log2(offset) }),
    scaleAt: packedAt(format, scale),
    powerScale,
    lookedUp: weights.table !== undefined,
    ...(minimum !== undefined && { minimumAt: packedAt(format, minimum) }),
  };
}

/** What kernels subtract from every weight, which they hold as an unsigned number. */
export function offsetOf({ bits, table, signed, odd, subtract = 0 }: Codes): number {
  if (table) return tableOffset(table);
  if (odd) return 2 ** codeWidth({ bits });
  return signed ? 128 : subtract;
}

export const formats32: ReadonlyMap<string, Format32> = new Map(
  Object.values(formats).flatMap(format => {
    const found = format32(kernelForm(format));
    return found ? [[format.name, found] as const] : [];
  }),
);
