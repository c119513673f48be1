/** Sums of integer products, in the kernel variant's way. */
import { type Func, i16x8, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantOf, type Pair, pair, pairLocal, setPair } from './constants.ts';

/**
 * How four 8-bit products become one sum. `relaxed`: relaxed_dot_i8x16_i7x16 into 16-bit sums; `dotadd`: the dot-and-add
 * instruction into 32-bit sums (one vpdpbusd with AVX-VNNI); `plain`: 16-bit products of what every browser has.
 */
export type Dot = 'relaxed' | 'dotadd' | 'plain';

/** A kernel's sums, one pair of vectors for each row group that is walked at once and each token of the tile. */
export type Sums = readonly (readonly Pair<Local<'v128'>>[])[];

export const sumsOf = (f: Func, atOnce: number, tile: number): Sums =>
  Array.from({ length: atOnce }, () => Array.from({ length: tile }, () => pairLocal(f)));

/** Four columns of eight rows of a group, each a byte 0..127. */
export interface Step {
  /** Byte offset of these columns' word of token 0 in the record, in words of the tile. */
  readonly word: number;
  readonly weights: (half: 0 | 1, group: number) => V128;
}

/** Steps whose products fit a 16-bit sum where weights have `bits` bits. */
export const stepsPerSum = (bits: number): number => Math.floor(32767 / ((2 ** bits - 1) * 127 * 2));

export interface Products {
  readonly x: Local<'i32'>;
  readonly steps: readonly Step[];
  /** See {@link stepsPerSum}. */
  readonly perSum: number;
  /** Per row of a group a factor, as two equal 16-bit lanes; absent: 1. */
  readonly scale?: (group: number) => Pair;
  /** Sums times 2^shift. */
  readonly shift?: number;
  /** The sums start here: overwrite what they hold. */
  readonly first: boolean;
}

/** Adds the products of `steps` to the integer sums `into` (i32 lanes are rows). */
export function addProducts(f: Func, dot: Dot, constantOf: ConstantOf, into: Sums, products: Products): void {
  if (dot === 'relaxed') {
    for (const group of into.keys()) addRelaxed(f, constantOf('onesI16'), into[group], group, products);
    return;
  }
  const exact = dot === 'dotadd' ? dotAdd(f, constantOf('zero'), into, products) : plain(f, constantOf, into, products);
  const { scale, shift, first } = products;
  into.forEach((sums, g) => {
    const factor = scale && pairLocal(f);
    if (factor)
      setPair(
        f,
        factor,
        pair(h => i32x4.shrS(i32x4.shl(scale(g)[h], 16), 16)),
      );
    sums.forEach((sum, t) => {
      const scaled = pair(h => (factor ? i32x4.mul(exact[g][t][h], factor[h]) : exact[g][t][h]));
      addTo(f, sum, scaled, shift, first);
    });
  });
}

function addTo(f: Func, sum: Pair<Local<'v128'>>, value: Pair, shift: number | undefined, first: boolean): void {
  const shifted = shift ? pair(h => i32x4.shl(value[h], shift)) : value;
  setPair(f, sum, first ? shifted : pair(h => i32x4.add(sum[h], shifted[h])));
}

const word = (x: Local<'i32'>, step: Step, tile: number, token: number) =>
  v128.splat32(x, (step.word * tile + token) * 4);

/** 16-bit sums of two products each, widened (and scaled in the same instruction) before they can overflow. */
function addRelaxed(
  f: Func,
  ones: Pair,
  into: readonly Pair<Local<'v128'>>[],
  group: number,
  { x, steps, perSum, scale, shift, first }: Products,
): void {
  const [w, broadcast] = [pairLocal(f), f.local('v128')];
  const factor = scale && pairLocal(f);
  if (factor) setPair(f, factor, scale(group));
  const partial = into.map(() => pairLocal(f));
  for (let start = 0; start < steps.length; start += perSum) {
    steps.slice(start, start + perSum).forEach((step, i) => {
      setPair(
        f,
        w,
        pair(h => step.weights(h, group)),
      );
      partial.forEach((sum, t) => {
        f.set(broadcast, word(x, step, into.length, t));
        const dots = pair(h => i16x8.relaxedDot(broadcast, w[h]));
        setPair(f, sum, i === 0 ? dots : pair(h => i16x8.add(sum[h], dots[h])));
      });
    });
    into.forEach((sum, t) => {
      const wide = pair(h => i32x4.dot(partial[t][h], (factor ?? ones)[h]));
      addTo(f, sum, wide, shift, first && start === 0);
    });
  }
}

/** Every broadcast word serves all the groups. */
function dotAdd(f: Func, zero: Pair, into: Sums, { x, steps }: Products): Sums {
  const tile = into[0].length;
  const [w, broadcast] = [into.map(() => pairLocal(f)), f.local('v128')];
  const exact = sumsOf(f, into.length, tile);
  steps.forEach((step, i) => {
    for (const [g, weights] of w.entries())
      setPair(
        f,
        weights,
        pair(h => step.weights(h, g)),
      );
    for (let t = 0; t < tile; t++) {
      f.set(broadcast, word(x, step, tile, t));
      for (const [g, weights] of w.entries()) {
        const sum = exact[g][t];
        setPair(
          f,
          sum,
          pair(h => i32x4.relaxedDotAdd(broadcast, weights[h], i === 0 ? zero[h] : sum[h])),
        );
      }
    }
  });
  return exact;
}

/** Even and odd columns as 16-bit lanes, of weights (unsigned) and activations (signed) alike. */
function plain(f: Func, constantOf: ConstantOf, into: Sums, { x, steps }: Products): Sums {
  const tile = into[0].length;
  const [w, even, odd] = [pairLocal(f), pairLocal(f), pairLocal(f)];
  const [both, xEven, xOdd] = [f.local('v128'), f.local('v128'), f.local('v128')];
  const exact = sumsOf(f, into.length, tile);
  steps.forEach((step, i) => {
    for (const [g, sums] of exact.entries()) {
      setPair(
        f,
        w,
        pair(h => step.weights(h, g)),
      );
      setPair(
        f,
        even,
        pair(h => v128.and(w[h], constantOf('byte')[h])),
      );
      setPair(
        f,
        odd,
        pair(h => i16x8.shrU(w[h], 8)),
      );
      sums.forEach((sum, t) => {
        f.set(both, word(x, step, tile, t));
        f.set(xEven, i16x8.shrS(i16x8.shl(both, 8), 8));
        f.set(xOdd, i16x8.shrS(both, 8));
        const dots = pair(h => i32x4.add(i32x4.dot(xEven, even[h]), i32x4.dot(xOdd, odd[h])));
        setPair(f, sum, i === 0 ? dots : pair(h => i32x4.add(sum[h], dots[h])));
      });
    }
  });
  return exact;
}
