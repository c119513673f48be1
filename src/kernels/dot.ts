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

/** Weights are the sum of one or two planes, each a small unsigned number with a factor. */
export interface Plane {
  readonly times: 1 | 15 | 16;
  /** See {@link stepsPerSum}. */
  readonly perSum: number;
}

export interface Products {
  readonly x: Local<'i32'>;
  readonly planes: readonly (Plane & { readonly steps: readonly Step[] })[];
  /** Per row of a group a factor, as two equal 16-bit lanes; absent: 1. */
  readonly scale?: (group: number) => Pair;
  /** The sums start here: overwrite what they hold. */
  readonly first: boolean;
}

/** Adds the products of all planes to the integer sums `into` (i32 lanes are rows). */
export function addProducts(f: Func, dot: Dot, constantOf: ConstantOf, into: Sums, products: Products): void {
  const { planes } = products;
  // One token's sums leave room for both planes at once: an index of a table is then made once.
  const passes = into.flat().length === 1 ? [planes] : planes.map(plane => [plane]);
  passes.forEach((planes, i) => {
    const pass = { ...products, planes, first: products.first && i === 0 };
    if (dot === 'relaxed') for (const group of into.keys()) addRelaxed(f, constantOf, into[group], group, pass);
    else addExact(f, dot, constantOf, into, pass);
  });
}

function addExact(f: Func, dot: Dot, constantOf: ConstantOf, into: Sums, products: Products): void {
  const { x, planes, scale, first } = products;
  planes.forEach(({ times, steps }, i) => {
    const exact = dot === 'dotadd' ? dotAdd(f, constantOf, into, x, steps) : plain(f, constantOf, into, x, steps);
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
        addTo(f, sum, multiplied(scaled, times, constantOf), first && i === 0);
      });
    });
  });
}

/** 32-bit numbers times a small one. */
function multiplied(value: Pair, times: number, constantOf: ConstantOf): Pair {
  if (times === 1) return value;
  return pair(h => (times === 16 ? i32x4.shl(value[h], 4) : i32x4.mul(value[h], constantOf('low4')[h])));
}

function addTo(f: Func, sum: Pair<Local<'v128'>>, value: Pair, first: boolean): void {
  setPair(f, sum, first ? value : pair(h => i32x4.add(sum[h], value[h])));
}

const word = (x: Local<'i32'>, step: Step, tile: number, token: number) =>
  v128.splat32(x, (step.word * tile + token) * 4);

/** 16-bit sums of two products each, widened (and scaled in the same instruction) before they can overflow. */
function addRelaxed(
  f: Func,
  constantOf: ConstantOf,
  into: readonly Pair<Local<'v128'>>[],
  group: number,
  { x, planes, scale, first }: Products,
): void {
  const broadcast = f.local('v128');
  const scaled = scale && pairLocal(f);
  if (scaled) setPair(f, scaled, scale(group));
  const parts = planes.map(plane => ({
    ...plane,
    w: pairLocal(f),
    factor: factorOf(f, plane, scaled, constantOf),
    partial: into.map(() => pairLocal(f)),
  }));
  let empty = first;
  for (let i = 0; i < planes[0].steps.length; i++) {
    for (const { w, steps } of parts)
      setPair(
        f,
        w,
        pair(h => steps[i].weights(h, group)),
      );
    for (let t = 0; t < into.length; t++) {
      f.set(broadcast, word(x, planes[0].steps[i], into.length, t));
      for (const { w, partial, perSum } of parts) {
        const dots = pair(h => i16x8.relaxedDot(broadcast, w[h]));
        setPair(f, partial[t], i % perSum === 0 ? dots : pair(h => i16x8.add(partial[t][h], dots[h])));
      }
    }
    for (const { partial, perSum, factor, steps } of parts) {
      if ((i + 1) % perSum !== 0 && i + 1 < steps.length) continue;
      into.forEach((sum, t) => {
        const wide = pair(h => i32x4.dot(partial[t][h], factor[h]));
        addTo(f, sum, wide, empty);
      });
      empty = false;
    }
  }
}

/** What 16-bit sums are widened with, as 16-bit lanes. */
function factorOf(f: Func, { times }: Plane, scale: Pair | undefined, constantOf: ConstantOf): Pair {
  const number = constantOf(times === 1 ? 'onesI16' : times === 15 ? 'i16_15' : 'i16_16');
  if (!scale) return number;
  if (times === 1) return scale;
  const factor = pairLocal(f);
  setPair(
    f,
    factor,
    pair(h => i16x8.mul(scale[h], number[h])),
  );
  return factor;
}

/** Every broadcast word serves all the groups. */
function dotAdd(f: Func, constantOf: ConstantOf, into: Sums, x: Local<'i32'>, steps: readonly Step[]): Sums {
  const zero = constantOf('zero');
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
function plain(f: Func, constantOf: ConstantOf, into: Sums, x: Local<'i32'>, steps: readonly Step[]): Sums {
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
