/**
 * Activations as the matrix kernels read them. The rows of a step are cut into tiles of 1..maxTile tokens; a tile holds,
 * block after block, a record that the kernels walk in one direction. Inside, words of the tile's T tokens are
 * interleaved, each with four columns, so that one 32-bit broadcast serves a whole row group.
 *
 *   blocks of 32:  8 x T words of four int8 · T x f32 d * 2^112 · T x i32 sum · T x f32 d * sum
 *   blocks of 256: 64 x T words of four int8 · T x f32 d · 8 x T pairs of i16 sums of 16 · 4 x T pairs of i16 sums of 32
 *   floats:        columns x T f32
 *
 * The 2^112 for blocks of 32 turns an f16 that was shifted into f32's place into its value (see constants.ts).
 */
import { Func, f32, f32x4, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { lanesMax } from './math.ts';

/** Most tokens of a tile: with more, the sums no longer stay in registers. */
export const maxTile = 6;

export type ActivationKind = 'q32' | 'q256' | 'f32';

/** Bytes of one token's share of a record, and the columns in it. */
export const activationRecord = {
  q32: { columns: 32, bytes: 44 },
  q256: { columns: 256, bytes: 256 + 4 + 32 + 16 },
  f32: { columns: 1, bytes: 4 },
} as const satisfies Record<ActivationKind, { columns: number; bytes: number }>;

/** Bytes of one token's activations. */
export function activationBytes(kind: ActivationKind, columns: number): number {
  const { columns: block, bytes } = activationRecord[kind];
  return (columns / block) * bytes;
}

/** The tiles that `rows` tokens are cut into: as few as can be, as even as can be. */
export function tilesOf(rows: number, max: number): readonly number[] {
  const known = cuts[max]?.[rows];
  if (known) return known;
  const count = Math.ceil(rows / max);
  const border = (i: number) => Math.floor((i * rows) / count);
  const tiles = Array.from({ length: count }, (_, i) => border(i + 1) - border(i));
  cuts[max] ??= [];
  cuts[max][rows] = tiles;
  return tiles;
}

/** What tilesOf has answered, by max and rows. */
const cuts: (readonly number[])[][] = [];

const params = { x: 'i32', blocks: 'i32', out: 'i32', tile: 'i32' } as const;

const halfScale = f32.const(2 ** 112);

/** d and 1/d of a block with the given largest magnitude; see docs/numerics.md. */
function scaleOf(f: Func<typeof params>, amax: V128, d: Local<'f32'>, inverse: Local<'v128'>): void {
  f.set(d, f32.div(lanesMax(f.local('v128', amax)), f32.const(127)));
  f.set(inverse, f32x4.splat(f32.select(f32.const(0), f32.div(f32.const(1), d), f32.lt(d, f32.const(1e-30)))));
}

function horizontalSum(v: Local<'v128'>) {
  return i32.add(i32.add(i32x4.lane(v, 0), i32x4.lane(v, 1)), i32.add(i32x4.lane(v, 2), i32x4.lane(v, 3)));
}

/** max |x| of 32 columns at `x + offset`, as a vector of four. */
function magnitude32(x: Local<'i32'>, offset: number): V128 {
  const loads = Array.from({ length: 8 }, (_, i) => f32x4.abs(v128.load(x, offset + 16 * i)));
  return loads.reduce((a, b) => f32x4.max(a, b));
}

/** Quantises 16 columns and stores their four words `wordStep` bytes apart; adds their sums to `sum`. */
function quantise16(
  f: Func<typeof params>,
  x: Local<'i32'>,
  offset: number,
  inverse: Local<'v128'>,
  target: Local<'i32'>,
  wordStep: Local<'i32'>,
  sum: Local<'v128'>,
): void {
  const q = [0, 1, 2, 3].map(i =>
    f.local('v128', i32x4.truncate(f32x4.nearest(f32x4.mul(v128.load(x, offset + 16 * i), inverse)))),
  );
  for (const part of q) f.set(sum, i32x4.add(sum, part));
  const bytes = f.local('v128', i8x16.narrow(i16x8.narrow(q[0], q[1]), i16x8.narrow(q[2], q[3])));
  for (let i = 0; i < 4; i++) {
    f.store32(target, i32x4.lane(bytes, i));
    f.advance(target, wordStep);
  }
}

/** One token's row into its place in a tile: `out` is the address of its first word, `tile` the tokens of the tile. */
export function quantize32(): Func<typeof params> {
  const f = new Func('quantize_q32', params);
  const { x, blocks, out, tile } = f.params;
  const [d, scaled] = [f.local('f32'), f.local('f32')];
  const [inverse, sum] = [f.local('v128'), f.local('v128')];
  const step = f.local('i32', i32.shl(tile, i32.const(2)));
  const total = f.local('i32');
  f.for(blocks, () => {
    scaleOf(f, magnitude32(x, 0), d, inverse);
    f.set(sum, i32x4.splat(i32.const(0)));
    quantise16(f, x, 0, inverse, out, step, sum);
    quantise16(f, x, 64, inverse, out, step, sum);
    f.set(total, horizontalSum(sum));
    f.set(scaled, f32.mul(d, halfScale));
    f.storeF32(out, scaled);
    f.advance(out, step);
    f.store32(out, total);
    f.advance(out, step);
    f.storeF32(out, f32.mul(d, f32.convert(total)));
    f.advance(out, step);
    f.advance(x, 128);
  });
  return f;
}

export function quantize256(): Func<typeof params> {
  const f = new Func('quantize_q256', params);
  const { x, blocks, out, tile } = f.params;
  const d = f.local('f32');
  const [amax, inverse, sum] = [f.local('v128'), f.local('v128'), f.local('v128')];
  const step = f.local('i32', i32.shl(tile, i32.const(2)));
  const [previous, total, sums16, sums32, scan] = [0, 1, 2, 3, 4].map(() => f.local('i32'));
  const lowHalf = (value: Local<'i32'>) => i32.and(value, i32.const(0xffff));
  f.for(blocks, () => {
    f.set(amax, magnitude32(x, 0));
    for (let i = 1; i < 8; i++) f.set(amax, f32x4.max(amax, magnitude32(x, 128 * i)));
    scaleOf(f, amax, d, inverse);
    f.set(scan, i32.add(out, i32.mul(step, i32.const(64))));
    f.storeF32(scan, d);
    f.set(sums16, i32.add(scan, step));
    f.set(sums32, i32.add(sums16, i32.mul(step, i32.const(8))));
    f.set(scan, i32.add(sums32, i32.mul(step, i32.const(4))));
    f.for(i32.const(8), counter => {
      f.set(sum, i32x4.splat(i32.const(0)));
      quantise16(f, x, 0, inverse, out, step, sum);
      f.set(previous, horizontalSum(sum));
      f.set(sum, i32x4.splat(i32.const(0)));
      quantise16(f, x, 64, inverse, out, step, sum);
      f.set(total, horizontalSum(sum));
      f.store32(sums16, i32.add(lowHalf(previous), i32.shl(total, i32.const(16))));
      f.advance(sums16, step);
      f.set(total, i32.add(total, previous));
      f.if(
        i32.and(counter, i32.const(1)),
        () => {
          f.store16(sums32, total, 2);
          f.advance(sums32, step);
        },
        () => f.store16(sums32, total),
      );
      f.advance(x, 128);
    });
    f.set(out, scan);
  });
  return f;
}

/** Copies a row into its place among the tile's floats; `blocks` is the number of columns. */
export function interleaveFloats(): Func<typeof params> {
  const f = new Func('quantize_f32', params);
  const { x, blocks, out, tile } = f.params;
  const step = f.local('i32', i32.shl(tile, i32.const(2)));
  f.for(blocks, () => {
    f.storeF32(out, f32.load(x));
    f.advance(x, 4);
    f.advance(out, step);
  });
  return f;
}
