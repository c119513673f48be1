/**
 * How the formats with 256 weights in a block unpack: Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ4_XS. Their scales become 16-bit
 * lanes, and a short loop walks over the weights, in words of four columns.
 */
import { type Func, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type Pair, pair } from './constants.ts';

export type ConstantOf = (name: ConstantName) => Pair;

/** Where the walk stands inside a block. */
export interface Place {
  /** The block's first byte. */
  readonly block: Local<'i32'>;
  /** The weights of this turn. */
  readonly w: Local<'i32'>;
  readonly outer: Local<'i32'>;
  readonly inner: Local<'i32'>;
  readonly constantOf: ConstantOf;
}

/** Four columns of eight rows. */
interface Word {
  /** Counted from the turn's first. */
  readonly word: number;
  readonly weights: (half: 0 | 1) => V128;
}

/** Weights that share a scale, in one turn of the walk. */
interface Run {
  /** Index of the scale, counted from the turn's first. */
  readonly scale: number;
  readonly planes: readonly { readonly shift: number; readonly steps: readonly Word[] }[];
}

/** Two nested loops over a block; what each turn adds to the pointers (the outer loop adds on top of its inner turns). */
export interface Walk {
  readonly outer: number;
  readonly inner: number;
  /** Bytes of weights, words of activations, scales. */
  readonly innerAdvance: readonly [weights: number, words: number, scales: number];
  readonly outerAdvance: readonly [weights: number, words: number, scales: number];
  readonly runs: (place: Place) => readonly Run[];
}

export interface Format256 {
  readonly groupBytes: number;
  /** Steps whose products fit a 16-bit sum, see Products. */
  readonly perSum: number;
  /** Weights of eight bits, in two planes. */
  readonly inPlanes?: boolean;
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

const steps = (count: number, make: (j: number, half: 0 | 1) => V128, firstWord = 0): Word[] =>
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
const nibbleParts = (fifth?: (place: Place, j: number, half: 0 | 1, part: 0 | 1) => V128): Walk => ({
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
const streams = (bytes: number, weights: (place: Place, j: number, half: 0 | 1, stream: number) => V128): Walk => ({
  outer: 2,
  inner: 2,
  innerAdvance: [bytes, 4, 1],
  outerAdvance: [0, 24, 6],
  runs: place =>
    [0, 1, 2, 3].map(stream => ({
      scale: 2 * stream,
      planes: [{ shift: 0, steps: steps(4, (j, half) => weights(place, j, half, stream), 8 * stream) }],
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
    perSum: 4,
    part: 16,
    scales: (_, w, c, i) => pair(h => v128.and(bytePairs(w, 512 + 16 * i)[h], c('i16_15')[h])),
    minimums: (_, w, __, i) => pair(h => i16x8.shrU(bytePairs(w, 512 + 16 * i)[h], 4)),
    scaleAt: 640,
    minimumAt: 656,
    walk: streams(128, twoBits),
  },
  Q3_K: {
    groupBytes: 880,
    perSum: 4,
    part: 16,
    scales: q3kScales,
    offsetShift: 2,
    scaleAt: 864,
    walk: streams(128, q3kWeights),
  },
  Q4_K: {
    groupBytes: 1152,
    perSum: 8,
    part: 32,
    scales: sixBits(1024, 0),
    minimums: sixBits(1024, 1),
    scaleAt: 1120,
    minimumAt: 1136,
    walk: nibbleParts(),
  },
  Q5_K: {
    groupBytes: 1408,
    perSum: 4,
    part: 32,
    scales: sixBits(1280, 0),
    minimums: sixBits(1280, 1),
    scaleAt: 1376,
    minimumAt: 1392,
    walk: nibbleParts(q5kFifth),
  },
  Q6_K: {
    groupBytes: 1680,
    perSum: 2,
    part: 16,
    scales: (_, w, __, i) => pair(h => v128.load8x8s(w, 1536 + 16 * i + 8 * h)),
    offsetShift: 5,
    scaleAt: 1664,
    walk: streams(384, q6kWeights),
  },
  Q8_K: {
    groupBytes: 2336,
    perSum: 8,
    inPlanes: true,
    part: 32,
    offsetShift: 7,
    scaleAt: 2304,
    wideScale: true,
    walk: planes(256, bytePlane),
  },
  IQ4_XS: {
    groupBytes: 1088,
    perSum: 8,
    inPlanes: true,
    part: 32,
    scales: iq4xsScales,
    offsetShift: 7,
    scaleAt: 1072,
    walk: planes(128, iq4Plane),
  },
} as const satisfies Record<string, Format256>;
