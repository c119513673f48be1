/**
 * Matrix kernels of the formats with 256 weights in a block and integer scales for its parts: Q2_K Q3_K Q4_K Q5_K Q6_K
 * Q8_K IQ4_XS. A block's scales are unpacked to the thread's scratch first, as 16-bit lanes ready for the widening dot;
 * the walk over its weights is then the same short loop in every format.
 */
import { type Func, f32x4, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type Pair, pair, pairLocal, setPair } from './constants.ts';
import {
  addProducts,
  constants,
  type Dot,
  type ProductFunc,
  product,
  type Step,
  smallHalves,
  storePair,
} from './product.ts';

type ConstantOf = (name: ConstantName) => Pair;

/** Where the walk stands inside a block. */
interface Place {
  /** The block's first byte. */
  readonly block: Local<'i32'>;
  /** The weights of this turn. */
  readonly w: Local<'i32'>;
  readonly outer: Local<'i32'>;
  readonly inner: Local<'i32'>;
  readonly constantOf: ConstantOf;
}

/** Weights that share a scale, in one turn of the walk. */
interface Run {
  /** Index of the scale, counted from the turn's first. */
  readonly scale: number;
  readonly planes: readonly { readonly shift: number; readonly perSum: number; readonly steps: readonly Step[] }[];
}

/** Two nested loops over a block; what each turn adds to the pointers (the outer loop adds on top of its inner turns). */
interface Walk {
  readonly outer: number;
  readonly inner: number;
  /** Bytes of weights, words of activations, scales. */
  readonly innerAdvance: readonly [weights: number, words: number, scales: number];
  readonly outerAdvance: readonly [weights: number, words: number, scales: number];
  readonly runs: (place: Place) => readonly Run[];
}

interface Format256 {
  readonly groupBytes: number;
  /** Weights that share a scale. */
  readonly part: 16 | 32;
  /**
   * Scales of parts 2i and 2i + 1 of each row, as a pair of 16-bit lanes; absent: all 1.
   * @param w the block's first byte
   */
  readonly scales?: (f: Func, w: Local<'i32'>, constantOf: ConstantOf, i: number) => Pair;
  /** The same for the minimums. */
  readonly minimums?: (f: Func, w: Local<'i32'>, constantOf: ConstantOf, i: number) => Pair;
  /** log2 of what is subtracted from every weight. */
  readonly offsetShift?: number;
  readonly scaleAt: number;
  /** The block's scale is f32 instead of f16. */
  readonly wideScale?: boolean;
  readonly minimumAt?: number;
  readonly walk: Walk;
}

const steps = (count: number, make: (j: number, half: 0 | 1) => V128, firstWord = 0): Step[] =>
  Array.from({ length: count }, (_, j) => ({ word: firstWord + j, weights: half => make(j, half) }));

const at = (w: Local<'i32'>, offset: number, half: 0 | 1): V128 => v128.load(w, offset + 16 * half);

// ---- scales -------------------------------------------------------------------------------------------------------

const bytePairs = (w: Local<'i32'>, offset: number): Pair => pair(h => v128.load8x8u(w, offset + 8 * h));

/** Q4_K, Q5_K: 6-bit scales (part 0) and minimums (part 1) of 8 parts in 12 bytes; pairs 2 and 3 are split over two bytes. */
const sixBits =
  (offset: number, minimum: 0 | 1) =>
  (_: Func, w: Local<'i32'>, c: ConstantOf, i: number): Pair => {
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

const q3kScales = (_: Func, w: Local<'i32'>, c: ConstantOf, i: number): Pair => {
  const low = bytePairs(w, 768 + 16 * (i & 3));
  const high = bytePairs(w, 768 + 16 * (4 + (i & 1)));
  const highShift = 2 * (i >> 1);
  return pair(h =>
    i16x8.sub(
      v128.or(
        v128.and(i16x8.shrU(low[h], 4 * (i >> 2)), c('i16_15')[h]),
        v128.and(i16x8.shl(i16x8.shrU(high[h], highShift), 4), c('i16_48')[h]),
      ),
      c('i16_32')[h],
    ),
  );
};

const iq4xsScales = (_: Func, w: Local<'i32'>, c: ConstantOf, i: number): Pair => {
  const high = pair(h => v128.load16x4u(w, 1056 + 8 * h));
  return pair(h => {
    const bytes = v128.load8x8u(w, 1024 + 16 * (i >> 1) + 8 * h);
    const byte = i & 1 ? i32x4.shrU(bytes, 16) : v128.and(bytes, c('low16')[h]);
    const lowBits = v128.or(v128.and(byte, c('low4')[h]), v128.and(i32x4.shl(byte, 12), c('high4')[h]));
    const pairOf = i32x4.shrU(high[h], 4 * i);
    const highBits = v128.or(
      v128.and(i32x4.shl(pairOf, 4), c('scale45')[h]),
      v128.and(i32x4.shl(pairOf, 18), c('scale2021')[h]),
    );
    return i16x8.sub(v128.or(lowBits, highBits), c('i16_32')[h]);
  });
};

// ---- weights ------------------------------------------------------------------------------------------------------

/** Q4_K, Q5_K: 64 weights a turn; low nibbles are the first part, high nibbles the second. */
const nibbleParts = (perSum: number, fifth?: (place: Place, j: number, half: 0 | 1, part: 0 | 1) => V128): Walk => ({
  outer: 4,
  inner: 1,
  innerAdvance: [256, 16, 2],
  outerAdvance: [0, 0, 0],
  runs: place =>
    ([0, 1] as const).map(part => ({
      scale: part,
      planes: [
        {
          shift: 0,
          perSum,
          steps: steps(
            8,
            (j, half) => {
              const bytes = at(place.w, 32 * j, half);
              const nibble = v128.and(part ? i16x8.shrU(bytes, 4) : bytes, place.constantOf('nibble')[half]);
              return fifth ? v128.or(nibble, fifth(place, j, half, part)) : nibble;
            },
            8 * part,
          ),
        },
      ],
    })),
});

/** Bit 2 outer + part of the 32 bytes of high bits, moved to bit 4. */
const q5kFifth = ({ block, outer, constantOf }: Place, j: number, half: 0 | 1, part: 0 | 1): V128 => {
  const bits = i16x8.shrU(at(block, 1024 + 32 * j, half), i32.shl(outer, i32.const(1)));
  return v128.and(i16x8.shl(bits, 4 - part), constantOf('bit4')[half]);
};

/**
 * Q6_K, Q3_K, Q2_K: halves of 128 weights in four streams of 32; a turn takes 16 columns of each stream.
 * @param bytes weights' bytes of one turn
 */
const streams = (
  bytes: number,
  perSum: number,
  weights: (place: Place, j: number, half: 0 | 1, stream: number) => V128,
): Walk => ({
  outer: 2,
  inner: 2,
  innerAdvance: [bytes, 4, 1],
  outerAdvance: [0, 24, 6],
  runs: place =>
    [0, 1, 2, 3].map(stream => ({
      scale: 2 * stream,
      planes: [{ shift: 0, perSum, steps: steps(4, (j, half) => weights(place, j, half, stream), 8 * stream) }],
    })),
});

const q6kWeights = ({ w, constantOf }: Place, j: number, half: 0 | 1, stream: number): V128 => {
  const low = at(w, 96 * j + 32 * (stream & 1), half);
  const high = at(w, 96 * j + 64, half);
  const shifted = [i16x8.shl(high, 4), i16x8.shl(high, 2), high, i16x8.shrU(high, 2)][stream];
  return v128.or(
    v128.and(stream < 2 ? low : i16x8.shrU(low, 4), constantOf('nibble')[half]),
    v128.and(shifted, constantOf('bits45')[half]),
  );
};

const twoBits = ({ w, constantOf }: Place, j: number, half: 0 | 1, stream: number): V128 => {
  const bytes = at(w, 32 * j, half);
  return v128.and(stream ? i16x8.shrU(bytes, 2 * stream) : bytes, constantOf('three')[half]);
};

/** Q3_K: the third bit is bit 4 outer + stream of the mask byte. */
const q3kWeights = (place: Place, j: number, half: 0 | 1, stream: number): V128 => {
  const { block, outer, inner, constantOf } = place;
  const mask = v128.load(i32.add(block, i32.shl(inner, i32.const(7))), 512 + 32 * j + 16 * half);
  const bits = i16x8.shrU(mask, i32.shl(outer, i32.const(2)));
  const moved = [i16x8.shl(bits, 2), i16x8.shl(bits, 1), bits, i16x8.shrU(bits, 1)][stream];
  return v128.or(twoBits(place, j, half, stream), v128.and(moved, constantOf('bit2')[half]));
};

/** Parts of 32 bytes or of 16 bytes of nibbles, in two planes of four bits. */
const planes = (bytes: number, plane: (place: Place, j: number, half: 0 | 1, high: 0 | 1) => V128): Walk => ({
  outer: 8,
  inner: 1,
  innerAdvance: [bytes, 8, 1],
  outerAdvance: [0, 0, 0],
  runs: place => [
    {
      scale: 0,
      planes: ([0, 1] as const).map(high => ({
        shift: 4 * high,
        perSum: 8,
        steps: steps(8, (j, half) => plane(place, j, half, high)),
      })),
    },
  ],
});

const iq4Plane = ({ w, constantOf }: Place, j: number, half: 0 | 1, high: 0 | 1): V128 => {
  const bytes = at(w, 32 * (j & 3), half);
  const index = v128.and(j < 4 ? bytes : i16x8.shrU(bytes, 4), constantOf('nibble')[half]);
  return i8x16.swizzle(constantOf(high ? 'iq4High' : 'iq4Low')[half], index);
};

const bytePlane = ({ w, constantOf }: Place, j: number, half: 0 | 1, high: 0 | 1): V128 => {
  const bytes = at(w, 32 * j, half);
  const nibble = v128.and(high ? i16x8.shrU(bytes, 4) : bytes, constantOf('nibble')[half]);
  return high ? v128.xor(nibble, constantOf('eight')[half]) : nibble;
};

export const formats256 = {
  Q2_K: {
    groupBytes: 672,
    part: 16,
    scales: (_, w, c, i) => pair(h => v128.and(bytePairs(w, 512 + 16 * i)[h], c('i16_15')[h])),
    minimums: (_, w, __, i) => pair(h => i16x8.shrU(bytePairs(w, 512 + 16 * i)[h], 4)),
    scaleAt: 640,
    minimumAt: 656,
    walk: streams(128, 4, twoBits),
  },
  Q3_K: {
    groupBytes: 880,
    part: 16,
    scales: q3kScales,
    offsetShift: 2,
    scaleAt: 864,
    walk: streams(128, 4, q3kWeights),
  },
  Q4_K: {
    groupBytes: 1152,
    part: 32,
    scales: sixBits(1024, 0),
    minimums: sixBits(1024, 1),
    scaleAt: 1120,
    minimumAt: 1136,
    walk: nibbleParts(8),
  },
  Q5_K: {
    groupBytes: 1408,
    part: 32,
    scales: sixBits(1280, 0),
    minimums: sixBits(1280, 1),
    scaleAt: 1376,
    minimumAt: 1392,
    walk: nibbleParts(4, q5kFifth),
  },
  Q6_K: {
    groupBytes: 1680,
    part: 16,
    scales: (_, w, __, i) => pair(h => v128.load8x8s(w, 1536 + 16 * i + 8 * h)),
    offsetShift: 5,
    scaleAt: 1664,
    walk: streams(384, 2, q6kWeights),
  },
  Q8_K: { groupBytes: 2336, part: 32, offsetShift: 7, scaleAt: 2304, wideScale: true, walk: planes(256, bytePlane) },
  IQ4_XS: {
    groupBytes: 1088,
    part: 32,
    scales: iq4xsScales,
    offsetShift: 7,
    scaleAt: 1072,
    walk: planes(128, iq4Plane),
  },
} as const satisfies Record<string, Format256>;

/** Scratch of a block: up to 16 scales of 32 bytes, then up to 8 pairs for the minimums or the offset. */
const pairsAt = 512;

const constantNames = [
  'onesI16', 'byte', 'zero', 'nibble', 'eight', 'bit4', 'bits45', 'three', 'bit2', 'low16', 'high16', 'low4',
  'high4', 'scale45', 'scale2021', 'i16_15', 'i16_63', 'i16_48', 'i16_32', 'iq4Low', 'iq4High', 'low15',
  'firstNormal', 'halfBias', 'smallestNormal', 'sign',
] as const; // biome-ignore format: a list

export function product256(type: keyof typeof formats256, tile: number, dot: Dot): ProductFunc {
  const format: Format256 = formats256[type];
  return product(`${type}x${tile}`, tile, (f, sums) => {
    const constantOf = constants(f);
    for (const name of constantNames) constantOf(name);
    const integers = sums.map(() => pairLocal(f));
    return x => {
      expandScales(f, format, constantOf);
      for (const sum of integers) setPair(f, sum, constantOf('zero'));
      walk(f, format, dot, constantOf, x, integers);
      scaleUp(f, format, constantOf, x, integers, sums);
      f.advance(f.params.w, format.groupBytes);
      f.advance(x, 308 * tile);
    };
  });
}

/** Scales to scratch: every part's twice per row, and in pairs for what is subtracted at the end. */
function expandScales(f: ProductFunc, format: Format256, c: ConstantOf): void {
  const { w, scratch } = f.params;
  const both = pairLocal(f);
  for (let i = 0; i < 128 / format.part; i++) {
    setPair(f, both, format.scales?.(f, w, c, i) ?? c('onesI16'));
    const even = pair(h => v128.or(v128.and(both[h], c('low16')[h]), i32x4.shl(both[h], 16)));
    const odd = pair(h => v128.or(v128.and(both[h], c('high16')[h]), i32x4.shrU(both[h], 16)));
    storePair(f, scratch, even, 64 * i);
    storePair(f, scratch, odd, 64 * i + 32);
    storePair(f, scratch, format.minimums?.(f, w, c, i) ?? both, pairsAt + 32 * i);
  }
}

function walk(
  f: ProductFunc,
  { walk: { outer, inner, innerAdvance, outerAdvance, runs } }: Format256,
  dot: Dot,
  constantOf: ConstantOf,
  x: Local<'i32'>,
  integers: readonly Pair<Local<'v128'>>[],
): void {
  const tile = integers.length;
  const [w, words, scales] = [f.local('i32', f.params.w), f.local('i32', x), f.local('i32', f.params.scratch)];
  const [i, j] = [f.local('i32', i32.const(0)), f.local('i32')];
  const advance = ([bytes, count, parts]: Walk['innerAdvance']) => {
    f.advance(w, bytes);
    f.advance(words, count * 4 * tile);
    f.advance(scales, parts * 32);
  };
  const scale = pairLocal(f);
  const turn = () => {
    for (const run of runs({ block: f.params.w, w, outer: i, inner: j, constantOf })) {
      setPair(
        f,
        scale,
        pair(h => v128.load(scales, 32 * run.scale + 16 * h)),
      );
      for (const plane of run.planes)
        addProducts(f, dot, constantOf, integers, { x: words, ...plane, scale, first: false });
    }
    advance(innerAdvance);
    f.advance(j, 1);
  };
  f.doWhile(
    () => {
      f.set(j, i32.const(0));
      if (inner === 1) turn();
      else f.doWhile(turn, () => i32.ltU(j, i32.const(inner)));
      advance(outerAdvance);
      f.advance(i, 1);
    },
    () => i32.ltU(i, i32.const(outer)),
  );
}

/** The block's integers, less offset or minimums, times its scales, onto the float sums. */
function scaleUp(
  f: ProductFunc,
  format: Format256,
  c: ConstantOf,
  x: Local<'i32'>,
  integers: readonly Pair<Local<'v128'>>[],
  sums: readonly Pair<Local<'v128'>>[],
): void {
  const { w, scratch } = f.params;
  const tile = sums.length;
  const [scale, minimum, correction] = [pairLocal(f), pairLocal(f), pairLocal(f)];
  const factor = f.local('v128');
  // Words of the record: 64 of bytes, 1 scale, 8 sums of 16, 4 sums of 32.
  const field = (word: number, token: number) => v128.splat32(x, (word * tile + token) * 4);
  const firstSum = format.part === 16 ? 65 : 73;
  setPair(
    f,
    scale,
    format.wideScale ? pair(h => v128.load(w, format.scaleAt + 16 * h)) : smallHalves(f, w, format.scaleAt, c),
  );
  if (format.minimumAt) setPair(f, minimum, smallHalves(f, w, format.minimumAt, c));
  sums.forEach((sum, t) => {
    for (let i = 0; i < 128 / format.part; i++) {
      f.set(factor, field(firstSum + i, t));
      const dots = pair(h => i32x4.dot(v128.load(scratch, pairsAt + 32 * i + 16 * h), factor));
      setPair(f, correction, i === 0 ? dots : pair(h => i32x4.add(correction[h], dots[h])));
    }
    f.set(factor, field(64, t));
    const { offsetShift } = format;
    const exact = offsetShift
      ? pair(h => i32x4.sub(integers[t][h], i32x4.shl(correction[h], offsetShift)))
      : integers[t];
    setPair(
      f,
      sum,
      pair(h => f32x4.add(sum[h], f32x4.mul(f32x4.convert(exact[h]), f32x4.mul(scale[h], factor)))),
    );
    if (!format.minimumAt) return;
    setPair(
      f,
      sum,
      pair(h => f32x4.sub(sum[h], f32x4.mul(f32x4.convert(correction[h]), f32x4.mul(minimum[h], factor)))),
    );
  });
}
