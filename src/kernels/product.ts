/**
 * What every matrix kernel shares: its signature, the walk over row groups, sums of integer products in the kernel
 * variant's way, and the write-out. A kernel multiplies groups of eight rows with a tile of T tokens; T is fixed when the
 * kernel is generated, so that sums are registers.
 */
import { Func, f32x4, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, constant, type Pair, pair, pairLocal, setPair } from './constants.ts';

/**
 * How four 8-bit products become one sum. `relaxed`: relaxed_dot_i8x16_i7x16 into 16-bit sums; `dotadd`: the dot-and-add
 * instruction into 32-bit sums (one vpdpbusd with AVX-VNNI); `plain`: 16-bit products of what every browser has.
 */
export type Dot = 'relaxed' | 'dotadd' | 'plain';

export const productParams = {
  /** Packed weights of the first group. */
  w: 'i32',
  /** Blocks in a row. */
  blocks: 'i32',
  groups: 'i32',
  /** The tile's first record. */
  x: 'i32',
  /** Row `first group * 8` of the first token's output. */
  y: 'i32',
  /** Bytes between two tokens' outputs. */
  stride: 'i32',
  /** Address of the bias of the first row, or 0. */
  bias: 'i32',
  /** 1: add to what stands in y. */
  accumulate: 'i32',
  /** 1 KiB of this thread's own. */
  scratch: 'i32',
} as const;

export type ProductFunc = Func<typeof productParams>;

/** A kernel's sums, one pair of vectors for each row group that is walked at once and each token of the tile. */
export type Sums = readonly (readonly Pair<Local<'v128'>>[])[];

export const sumsOf = (f: Func, atOnce: number, tile: number): Sums =>
  Array.from({ length: atOnce }, () => Array.from({ length: tile }, () => pairLocal(f)));

/** Adds one block to the sums and advances the groups' pointers and `x`. */
type Block = (x: Local<'i32'>) => void;

/** Row groups that are walked together, and the bytes of a block of one. */
export interface Walkers {
  readonly atOnce: number;
  readonly blockBytes: number;
}

/**
 * Walks the groups, `atOnce` together as long as there are so many, then one by one; afterwards the sums are written.
 * @param setUp called for either number, with a pointer to each group's block
 */
export function product(
  name: string,
  tile: number,
  { atOnce, blockBytes }: Walkers,
  setUp: (f: ProductFunc, sums: Sums, w: readonly Local<'i32'>[]) => Block,
): ProductFunc {
  const f = new Func(name, productParams);
  const zero = constant(f, 'zero');
  const left = f.local('i32', f.params.groups);
  const rowBytes = f.local('i32', i32.mul(f.params.blocks, i32.const(blockBytes)));
  for (const together of new Set([atOnce, 1])) {
    const sums = sumsOf(f, together, tile);
    const w = [f.params.w, ...Array.from({ length: together - 1 }, () => f.local('i32'))];
    const block = setUp(f, sums, w);
    const enough = () => i32.ltU(i32.const(together - 1), left);
    f.if(enough(), () => f.doWhile(() => walkGroups(f, zero, sums, w, rowBytes, left, block), enough));
  }
  return f;
}

function walkGroups(
  f: ProductFunc,
  zero: Pair,
  sums: Sums,
  w: readonly Local<'i32'>[],
  rowBytes: Local<'i32'>,
  left: Local<'i32'>,
  block: Block,
): void {
  const { blocks, x, y, bias } = f.params;
  for (let g = 1; g < w.length; g++) f.set(w[g], i32.add(w[g - 1], rowBytes));
  for (const sum of sums.flat()) setPair(f, sum, zero);
  const record = f.local('i32', x);
  f.for(blocks, () => block(record));
  for (const group of sums) {
    writeOut(f, group);
    f.advance(y, 32);
    f.if(bias, () => f.advance(bias, 32));
  }
  if (w.length > 1) f.set(w[0], w[w.length - 1]);
  f.advance(left, -w.length);
}

function writeOut(f: ProductFunc, sums: readonly Pair<Local<'v128'>>[]): void {
  const { y, stride, bias, accumulate } = f.params;
  const at = f.local('i32', y);
  f.if(bias, () => {
    for (const sum of sums)
      setPair(
        f,
        sum,
        pair(half => f32x4.add(sum[half], v128.load(bias, 16 * half))),
      );
  });
  f.if(
    accumulate,
    () => {
      for (const sum of sums) {
        setPair(
          f,
          sum,
          pair(half => f32x4.add(v128.load(at, 16 * half), sum[half])),
        );
        storePair(f, at, sum);
        f.advance(at, stride);
      }
    },
    () => {
      for (const sum of sums) {
        storePair(f, at, sum);
        f.advance(at, stride);
      }
    },
  );
}

/** Adjacent stores: what the re-vectoriser starts from. */
export function storePair(f: Func, at: Local<'i32'>, value: Pair, offset = 0): void {
  f.store(at, value[0], offset);
  f.store(at, value[1], offset + 16);
}

/** Constants of a kernel, each loaded once; call it before the loops. */
export function constants(f: Func, names: readonly ConstantName[]): (name: ConstantName) => Pair<Local<'v128'>> {
  const loaded = new Map(names.map(name => [name, constant(f, name)]));
  return name => {
    const found = loaded.get(name);
    if (!found) throw new Error(`${f.name} does not load the constant ${name}`);
    return found;
  };
}

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
export function addProducts(
  f: Func,
  dot: Dot,
  constantOf: (name: ConstantName) => Pair,
  into: Sums,
  products: Products,
): void {
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
function plain(f: Func, constantOf: (name: ConstantName) => Pair, into: Sums, { x, steps }: Products): Sums {
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

/**
 * Four f16 of each half as f32. A K-quant's scales are often below 2^-14, subnormal as f16; on the way that
 * {@link halves} takes they would be subnormal f32s, at which CPUs stumble: a fifth of such a kernel's time.
 */
export function smallHalves(f: Func, w: Local<'i32'>, offset: number, c: (name: ConstantName) => Pair): Pair {
  const [bits, magnitude, value] = [pairLocal(f), pairLocal(f), pairLocal(f)];
  setPair(
    f,
    bits,
    pair(h => v128.load16x4s(w, offset + 8 * h)),
  );
  setPair(
    f,
    magnitude,
    pair(h => v128.and(bits[h], c('low15')[h])),
  );
  // 2^-14 (1 + m / 1024) where the exponent is not 0; 2^-15 (1 + m / 1024) where it is and 2^-14 m / 1024 is wanted.
  setPair(
    f,
    value,
    pair(h => i32x4.add(i32x4.shl(magnitude[h], 13), c('halfBias')[h])),
  );
  const missing = pair(h =>
    v128.and(i32x4.gtS(c('firstNormal')[h], magnitude[h]), f32x4.sub(value[h], c('smallestNormal')[h])),
  );
  return pair(h => v128.or(f32x4.add(value[h], missing[h]), v128.and(bits[h], c('sign')[h])));
}

/** Four f16 of each half as f32 times 2^-112 (the activation's scale carries the rest). */
export function halves(w: Local<'i32'>, offset: number, mask: Pair): Pair {
  return pair(h => v128.and(i32x4.shl(v128.load16x4s(w, offset + 8 * h), 13), mask[h]));
}
