/** Matrix kernels of the formats with 32 weights and one f16 scale in a block: Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL. */
import { Func, f32x4, i8x16, i16x8, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type Pair, pair, pairLocal, setPair } from './constants.ts';
import { panelsAtOnce, unpackBlocks, unpackParams } from './panel.ts';
import {
  addProducts,
  constants,
  type Dot,
  halves,
  type ProductFunc,
  product,
  type Step,
  type Sums,
  storePair,
  sumsOf,
} from './product.ts';

type ConstantOf = (name: ConstantName) => Pair;

/** A format's integers are the sum of its planes, each a small unsigned number times 2^shift, less the offset. */
interface Plane {
  readonly shift: number;
  readonly perSum: number;
  /** Columns 4 step .. 4 step + 3 of rows 0-3 (half 0) or 4-7 of the block at w. */
  readonly weights: (w: Local<'i32'>, step: number, half: 0 | 1, constantOf: ConstantOf) => V128;
}

interface Format32 {
  readonly groupBytes: number;
  readonly planes: readonly Plane[];
  /** log2 of what is subtracted from every weight; absent: nothing. */
  readonly offsetShift?: number;
  readonly scaleAt: number;
  /** f16 minimum, added to every weight times the scale. */
  readonly minimumAt?: number;
}

const nibbles: Plane['weights'] = (w, step, half, constantOf) => {
  const bytes = v128.load(w, 32 * (step & 3) + 16 * half);
  return v128.and(step < 4 ? bytes : i16x8.shrU(bytes, 4), constantOf('nibble')[half]);
};

/** The fifth bits: one 32-bit word a row, bit i for column i; spread over four bytes by a multiplication. */
const fifthBits: Plane['weights'] = (w, step, half, constantOf) => {
  const bits = v128.and(i32x4.shrU(v128.load(w, 128 + 16 * half), 4 * step), constantOf('low4')[half]);
  const spread = v128.and(i32x4.mul(bits, constantOf('spread')[half]), constantOf('bit0')[half]);
  return v128.or(nibbles(w, step, half, constantOf), i32x4.shl(spread, 4));
};

const fourBits: Plane = { shift: 0, perSum: 8, weights: nibbles };
const fiveBits: Plane = { shift: 0, perSum: 4, weights: fifthBits };

/** Bytes w + 128 as two nibbles; the sign bit of the high one is flipped for the 128. */
const signedBytes: readonly Plane[] = [
  {
    shift: 0,
    perSum: 8,
    weights: (w, step, half, c) => v128.and(v128.load(w, 32 * step + 16 * half), c('nibble')[half]),
  },
  {
    shift: 4,
    perSum: 8,
    weights: (w, step, half, c) =>
      v128.xor(v128.and(i16x8.shrU(v128.load(w, 32 * step + 16 * half), 4), c('nibble')[half]), c('eight')[half]),
  },
];

const lookup = (table: ConstantName, shift: number): Plane => ({
  shift,
  perSum: 8,
  weights: (w, step, half, constantOf) => i8x16.swizzle(constantOf(table)[half], nibbles(w, step, half, constantOf)),
});

type Type32 = keyof typeof formats32;

export const formats32 = {
  Q4_0: { groupBytes: 144, planes: [fourBits], offsetShift: 3, scaleAt: 128 },
  Q4_1: { groupBytes: 160, planes: [fourBits], scaleAt: 128, minimumAt: 144 },
  Q5_0: { groupBytes: 176, planes: [fiveBits], offsetShift: 4, scaleAt: 160 },
  Q5_1: { groupBytes: 192, planes: [fiveBits], scaleAt: 160, minimumAt: 176 },
  Q8_0: { groupBytes: 272, planes: signedBytes, offsetShift: 7, scaleAt: 256 },
  IQ4_NL: { groupBytes: 144, planes: [lookup('iq4Low', 0), lookup('iq4High', 4)], offsetShift: 7, scaleAt: 128 },
} as const satisfies Record<string, Format32>;

const constantNames = [
  'halfMask', 'halfScale', 'onesI16', 'byte', 'zero', 'nibble', 'eight', 'low4', 'spread', 'bit0', 'iq4Low', 'iq4High',
] as const; // biome-ignore format: a list

export function product32(type: Type32, tile: number, dot: Dot): ProductFunc {
  const format: Format32 = formats32[type];
  return product(`${type}x${tile}`, tile, { atOnce: 1, blockBytes: format.groupBytes }, (f, sums, [w]) => {
    const constantOf = constants(f, constantNames);
    const integers = sumsOf(f, 1, tile);
    const [scale, minimum] = [pairLocal(f), pairLocal(f)];
    return x => {
      format.planes.forEach(({ shift, perSum, weights }, i) => {
        const steps = stepsOf((word, h) => weights(w, word, h, constantOf));
        addProducts(f, dot, constantOf, integers, { x, steps, perSum, shift, first: i === 0 });
      });
      setPair(f, scale, halves(w, format.scaleAt, constantOf('halfMask')));
      if (format.minimumAt) setPair(f, minimum, minimumOf(w, format.minimumAt, constantOf));
      scaleUp(f, format, x, integers, sums, { scale: () => scale, minimum: () => minimum });
      f.advance(w, format.groupBytes);
      f.advance(x, 44 * tile);
    };
  });
}

/** A block of a panel: 8 words of eight rows, scales as {@link halves} makes them, minimums. */
export const panelBytes32 = 256 + 64;

export function panelProduct32(type: Type32, tile: number, dot: Dot): ProductFunc {
  const format: Format32 = formats32[type];
  const walkers = { atOnce: panelsAtOnce(dot), blockBytes: panelBytes32 };
  const at = (p: Local<'i32'>, offset: number): Pair => pair(h => v128.load(p, offset + 16 * h));
  return product(`${type}p${tile}`, tile, walkers, (f, sums, panels) => {
    const constantOf = constants(f, constantNames);
    const integers = sumsOf(f, panels.length, tile);
    const steps = stepsOf((word, h, g) => v128.load(panels[g], 32 * word + 16 * h));
    return x => {
      addProducts(f, dot, constantOf, integers, { x, steps, perSum: format.planes[0].perSum, first: true });
      scaleUp(f, format, x, integers, sums, { scale: g => at(panels[g], 256), minimum: g => at(panels[g], 288) });
      for (const panel of panels) f.advance(panel, panelBytes32);
      f.advance(x, 44 * tile);
    };
  });
}

/** Row groups to a panel. */
export function unpack32(type: Type32): Func<typeof unpackParams> {
  const format: Format32 = formats32[type];
  const f = new Func(`unpack_${type}`, unpackParams);
  const { w, panel } = f.params;
  const constantOf = constants(f, constantNames);
  f.for(unpackBlocks(f, format.groupBytes), () => {
    for (const { word, weights } of stepsOf((word, h) => format.planes[0].weights(w, word, h, constantOf)))
      storePair(
        f,
        panel,
        pair(h => weights(h, 0)),
        32 * word,
      );
    storePair(f, panel, halves(w, format.scaleAt, constantOf('halfMask')), 256);
    if (format.minimumAt) storePair(f, panel, minimumOf(w, format.minimumAt, constantOf), 288);
    f.advance(w, format.groupBytes);
    f.advance(panel, panelBytes32);
  });
  return f;
}

const stepsOf = (weights: (word: number, half: 0 | 1, group: number) => V128): Step[] =>
  Array.from({ length: 8 }, (_, word) => ({ word, weights: (half, group) => weights(word, half, group) }));

function minimumOf(w: Local<'i32'>, offset: number, constantOf: ConstantOf): Pair {
  const raw = halves(w, offset, constantOf('halfMask'));
  return pair(h => f32x4.mul(raw[h], constantOf('halfScale')[h]));
}

/** The block's integers, less the offset, times its scales, and its minimums, onto the float sums. */
function scaleUp(
  f: ProductFunc,
  { offsetShift, minimumAt }: Format32,
  x: Local<'i32'>,
  integers: Sums,
  sums: Sums,
  { scale, minimum }: { scale: (group: number) => Pair; minimum: (group: number) => Pair },
): void {
  const tile = sums[0].length;
  const [offset, factor] = [f.local('v128'), f.local('v128')];
  for (let t = 0; t < tile; t++) {
    // Words of the record: 8 of bytes, the scale, the sum, their product.
    const field = (index: number) => v128.splat32(x, (8 + index) * 4 * tile + 4 * t);
    if (offsetShift) f.set(offset, i32x4.shl(field(1), offsetShift));
    f.set(factor, field(0));
    for (const [g, group] of sums.entries()) {
      const [sum, whole] = [group[t], integers[g][t]];
      const exact = offsetShift ? pair(h => i32x4.sub(whole[h], offset)) : whole;
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(f32x4.convert(exact[h]), f32x4.mul(scale(g)[h], factor)))),
      );
    }
    if (!minimumAt) continue;
    f.set(factor, field(2));
    for (const [g, group] of sums.entries()) {
      const sum = group[t];
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(minimum(g)[h], factor))),
      );
    }
  }
}
