/**
 * How weights in blocks of 256 unpack: a short loop walks over them, in words of four columns.
 */
import { type Codes, codeKey } from '../quant/codes.ts';
import type { QuantFormat } from '../quant/format.ts';
import { type Func, i8x16, i16x8, i32, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type ConstantOf, tableConstant } from './constants.ts';
import type { Dot } from './dot.ts';
import { packedAt } from './layout.ts';

/** Where the walk stands inside a block. */
export interface Place {
  /** The block's first byte. */
  readonly block: Local<'i32'>;
  /** The weights of this turn. */
  readonly w: Local<'i32'>;
  readonly outer: Local<'i32'>;
  readonly inner: Local<'i32'>;
  readonly constantOf: ConstantOf;
  readonly dot: Dot;
  readonly f: Func;
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
  readonly planes: readonly (readonly Word[])[];
}

/** Two nested loops over a block; what each turn adds to the pointers (the outer loop adds on top of its inner turns). */
export interface Walk {
  readonly outer: number;
  readonly inner: number;
  /** Weights that share a scale. */
  readonly part: 16 | 32;
  /** Bytes of weights, words of activations, scales. */
  readonly innerAdvance: readonly [weights: number, words: number, scales: number];
  readonly outerAdvance: readonly [weights: number, words: number, scales: number];
  readonly runs: (place: Place) => readonly Run[];
}

const steps = (count: number, make: (j: number, half: 0 | 1) => V128, firstWord = 0): Word[] =>
  Array.from({ length: count }, (_, j) => ({ word: firstWord + j, weights: half => make(j, half) }));

const at = (w: Local<'i32'>, offset: number, half: 0 | 1): V128 => v128.load(w, offset + 16 * half);

/**
 * Makes word `j` of a turn's part or stream. It is called once for each turn: what both halves share, such as the count of a
 * shift, must be the same local to the re-vectoriser.
 */
type Turn<Part extends number = number> = (place: Place) => (j: number, half: 0 | 1, part: Part) => V128;

/** 64 weights a turn (Q4_K, Q5_K); low nibbles are the first part, high nibbles the second. */
const nibbleParts = (fifth?: Turn<0 | 1>): Walk => ({
  outer: 4,
  inner: 1,
  part: 32,
  innerAdvance: [256, 16, 2],
  outerAdvance: [0, 0, 0],
  runs: place => {
    const bit = fifth?.(place);
    const weights = (j: number, half: 0 | 1, part: 0 | 1): V128 => {
      const bytes = at(place.w, 32 * j, half);
      const nibble = v128.and(part ? i16x8.shrU(bytes, 4) : bytes, place.constantOf('nibble')[half]);
      return bit ? v128.or(nibble, bit(j, half, part)) : nibble;
    };
    return ([0, 1] as const).map(part => ({
      scale: part,
      planes: [steps(8, (j, half) => weights(j, half, part), 8 * part)],
    }));
  },
});

/** Bit 2 outer + part of the 32 bytes of high bits, moved to bit 4. */
const fifthBits =
  (from: number): Turn<0 | 1> =>
  ({ f, block, outer, constantOf }) => {
    const count = f.local('i32', i32.shl(outer, i32.const(1)));
    return (j, half, part) => {
      const bits = i16x8.shrU(at(block, from + 32 * j, half), count);
      return v128.and(i16x8.shl(bits, 4 - part), constantOf('bit4')[half]);
    };
  };

/**
 * Halves of 128 weights in four streams of 32; a turn takes 16 columns of each stream.
 * @param bytes weights' bytes of one turn
 */
const streams = (bytes: number, turn: Turn): Walk => ({
  outer: 2,
  inner: 2,
  part: 16,
  innerAdvance: [bytes, 4, 1],
  outerAdvance: [0, 24, 6],
  runs: place => {
    const weights = turn(place);
    return [0, 1, 2, 3].map(stream => ({
      scale: 2 * stream,
      planes: [steps(4, (j, half) => weights(j, half, stream), 8 * stream)],
    }));
  },
});

const sixBits: Turn =
  ({ w, constantOf }) =>
  (j, half, stream) => {
    const low = at(w, 96 * j + 32 * (stream & 1), half);
    const high = at(w, 96 * j + 64, half);
    const shifted = [i16x8.shl(high, 4), i16x8.shl(high, 2), high, i16x8.shrU(high, 2)][stream];
    return v128.or(
      v128.and(stream < 2 ? low : i16x8.shrU(low, 4), constantOf('nibble')[half]),
      v128.and(shifted, constantOf('bits45')[half]),
    );
  };

const twoBits: Turn =
  ({ w, constantOf }) =>
  (j, half, stream) => {
    const bytes = at(w, 32 * j, half);
    return v128.and(stream ? i16x8.shrU(bytes, 2 * stream) : bytes, constantOf('three')[half]);
  };

/** The third bit (Q3_K) is bit 4 outer + stream of the mask byte. */
const threeBits =
  (from: number): Turn =>
  place => {
    const { f, block, outer, inner, constantOf } = place;
    const low = twoBits(place);
    const masks = f.local('i32', i32.add(block, i32.shl(inner, i32.const(7))));
    const count = f.local('i32', i32.shl(outer, i32.const(2)));
    return (j, half, stream) => {
      const bits = i16x8.shrU(at(masks, from + 32 * j, half), count);
      const moved = [i16x8.shl(bits, 2), i16x8.shl(bits, 1), bits, i16x8.shrU(bits, 1)][stream];
      return v128.or(low(j, half, stream), v128.and(moved, constantOf('bit2')[half]));
    };
  };

/** The values of IQ2_S plus 43: 17 times the code, plus its lowest bits' exclusive or. */
const sixValues =
  (from: number): Turn =>
  place => {
    const codes = threeBits(from)(place);
    return (j, half, stream) => {
      const code = place.f.local('v128', codes(j, half, stream));
      const odd = v128.and(v128.xor(code, i16x8.shrU(code, 1)), place.constantOf('bit0')[half]);
      return i8x16.add(v128.or(code, i16x8.shl(code, 4)), odd);
    };
  };

/** Makes word `j` of a plane. */
type MakePlane = (place: Place, j: number, half: 0 | 1) => V128;

/** Parts of 32 bytes or of 16 bytes of nibbles, in two planes. */
const inPlanes = (bytes: number, planes: readonly MakePlane[]): Walk => ({
  outer: 8,
  inner: 1,
  part: 32,
  innerAdvance: [bytes, 8, 1],
  outerAdvance: [0, 0, 0],
  runs: place => [
    {
      scale: 0,
      planes: planes.map(make => steps(8, (j, half) => make(place, j, half))),
    },
  ],
});

const indices: MakePlane = ({ w, constantOf }, j, half) => {
  const bytes = at(w, 32 * (j & 3), half);
  return v128.and(j < 4 ? bytes : i16x8.shrU(bytes, 4), constantOf('nibble')[half]);
};

const lookUp =
  (table: ConstantName): MakePlane =>
  (place, j, half) => {
    const swizzle = place.dot === 'plain' ? i8x16.swizzle : i8x16.relaxedSwizzle;
    return swizzle(place.constantOf(table)[half], indices(place, j, half));
  };

const lowNibbles: MakePlane = ({ w, constantOf }, j, half) => v128.and(at(w, 32 * j, half), constantOf('nibble')[half]);

/** Of bytes w + 128: the sign bit is flipped for the 128. */
const highNibbles: MakePlane = ({ w, constantOf }, j, half) =>
  v128.xor(v128.and(i16x8.shrU(at(w, 32 * j, half), 4), constantOf('nibble')[half]), constantOf('eight')[half]);

/**
 * The walk for each way in which the bits of weights stand in a block, see {@link codeKey}. A format with another way needs
 * a line here; every other none.
 * @param at where the fields of the bits begin in a packed group
 */
const walks: Readonly<Record<string, (at: readonly number[], table?: Int8Array) => Walk>> = {
  '4x32': () => nibbleParts(),
  '4x32+1x32': ([, high]) => nibbleParts(fifthBits(high)),
  '4x64+2x32': () => streams(384, sixBits),
  '2x32': () => streams(128, twoBits),
  '2x32+1x32': ([, high]) => streams(128, threeBits(high)),
  '4x16 of a table': (_, table) => inPlanes(128, [indices, lookUp(tableConstant(table).name)]),
  '4x32 odd': () => nibbleParts(),
  '2x32+1x32 of a table': ([, high]) => streams(128, sixValues(high)),
  '8x1 signed': () => inPlanes(256, [lowNibbles, highNibbles]),
};

export function walkOf(format: QuantFormat, weights: Codes): Walk {
  const key = codeKey(weights);
  const walk = walks[key];
  if (!walk) throw new Error(`${format.name}: no kernel unpacks ${key} in blocks of 256`);
  return walk(
    weights.bits.map(({ field }) => packedAt(format, field)),
    weights.table,
  );
}
