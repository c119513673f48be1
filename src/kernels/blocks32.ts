/** Matrix kernels of the formats with 32 weights and one f16 scale in a block: Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL. */
import { f32x4, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type Pair, pair, pairLocal, setPair } from './constants.ts';
import { addProducts, constants, type Dot, halves, type ProductFunc, product, type Step } from './product.ts';

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

export const formats32 = {
  Q4_0: { groupBytes: 144, planes: [fourBits], offsetShift: 3, scaleAt: 128 },
  Q4_1: { groupBytes: 160, planes: [fourBits], scaleAt: 128, minimumAt: 144 },
  Q5_0: { groupBytes: 176, planes: [fiveBits], offsetShift: 4, scaleAt: 160 },
  Q5_1: { groupBytes: 192, planes: [fiveBits], scaleAt: 160, minimumAt: 176 },
  Q8_0: { groupBytes: 272, planes: signedBytes, offsetShift: 7, scaleAt: 256 },
  IQ4_NL: { groupBytes: 144, planes: [lookup('iq4Low', 0), lookup('iq4High', 4)], offsetShift: 7, scaleAt: 128 },
} as const satisfies Record<string, Format32>;

export function product32(type: keyof typeof formats32, tile: number, dot: Dot): ProductFunc {
  const format: Format32 = formats32[type];
  return product(`${type}x${tile}`, tile, (f, sums) => {
    const constantOf = constants(f);
    // Loaded here, before the loops.
    for (const name of [
      'halfMask',
      'halfScale',
      'onesI16',
      'byte',
      'zero',
      'nibble',
      'eight',
      'low4',
      'spread',
      'bit0',
      'iq4Low',
      'iq4High',
    ] as const)
      constantOf(name);
    const { w } = f.params;
    const integers = sums.map(() => pairLocal(f));
    const [scale, minimum, factor] = [pairLocal(f), pairLocal(f), f.local('v128')];
    return x => {
      format.planes.forEach((plane, i) => {
        const steps = Array.from(
          { length: 8 },
          (_, s): Step => ({ word: s, weights: h => plane.weights(w, s, h, constantOf) }),
        );
        addProducts(f, dot, constantOf, integers, {
          x,
          steps,
          perSum: plane.perSum,
          shift: plane.shift,
          first: i === 0,
        });
      });
      setPair(f, scale, halves(w, format.scaleAt, constantOf('halfMask')));
      if (format.minimumAt) {
        const raw = halves(w, format.minimumAt, constantOf('halfMask'));
        setPair(
          f,
          minimum,
          pair(h => f32x4.mul(raw[h], constantOf('halfScale')[h])),
        );
      }
      sums.forEach((sum, t) => {
        const field = (index: number) => v128.splat32(x, (8 + index) * 4 * tile + 4 * t);
        const exact = integers[t];
        if (format.offsetShift) {
          f.set(factor, i32x4.shl(field(1), format.offsetShift));
          setPair(
            f,
            exact,
            pair(h => i32x4.sub(exact[h], factor)),
          );
        }
        f.set(factor, field(0));
        setPair(
          f,
          sum,
          pair(h => f32x4.add(sum[h], f32x4.mul(f32x4.convert(exact[h]), f32x4.mul(scale[h], factor)))),
        );
        if (format.minimumAt) {
          f.set(factor, field(2));
          setPair(
            f,
            sum,
            pair(h => f32x4.add(sum[h], f32x4.mul(minimum[h], factor))),
          );
        }
      });
      f.advance(w, format.groupBytes);
      f.set(x, i32.add(x, i32.const(44 * tile)));
    };
  });
}
