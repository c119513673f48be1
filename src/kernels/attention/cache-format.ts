/** The formats of a cache's pages, and how their numbers become f32. */
import { f32x4, type I32, i32, i32x4, type Local, v128 } from '../assembler.ts';
import { constant, type Pair, pair, pairLocal, setPair } from '../constants.ts';
import type { AttentionFunc, Page } from './frame.ts';

export type CacheType = 'F16' | 'Q8_0';
export const cacheTypes: readonly CacheType[] = ['F16', 'Q8_0'];

/** Bytes of a page's keys (or values) of one head. */
export const headBytes = (type: CacheType, headDim: number): number => headDim * (type === 'F16' ? 64 : 36);

/** How a cache's numbers become f32. */
export interface CacheReader {
  /** What the numbers lack: it is in the queries and in the weights of the values. */
  readonly factor: number;
  /** Eights of cache lines in a page's keys, and in its values. */
  readonly lines: I32;
  /** Bytes between two dimensions of the keys. */
  readonly keyStep: number;
  /**
   * Sets `key` to the first dimension's keys of `position` and up, then runs `body` for every eight dimensions; `load` gives
   * eight positions' keys at `key`, the `w`-th eight.
   */
  eachEight(page: Page, position: I32, key: Local<'i32'>, body: (load: (w: number) => Pair) => void): void;
  /** Bytes of a value row of `headDim`. */
  rowBytes(headDim: I32): I32;
  /** Called before the positions of some dimensions are walked. */
  startColumn(page: Page, column: Local<'i32'>): void;
  /** The `w`-th eight values of the position at `value`. */
  values(value: Local<'i32'>, w: number): Pair;
  nextPosition(): void;
  /**
   * Runs `body` for every four of the keys' first `dimensions`; `load` gives eight positions' keys of dimension `i` of the four, the
   * `w`-th eight.
   */
  eachFour(page: Page, dimensions: I32, body: (load: (i: number, w: number) => Pair) => void): void;
  /** Bytes of eight values. */
  readonly columnBytes: number;
}

/** The reader of a format, in the kernel `f`, for `width` vectors of eight at once. */
export const cacheReader = (f: AttentionFunc, type: CacheType, width: number): CacheReader =>
  type === 'F16' ? f16(f) : q8(f, width);

/** F16 without hardware for it: the bits in f32's place, 2^112 too small (see constants.ts). */
function f16(f: AttentionFunc): CacheReader {
  const mask = constant(f, 'halfMask');
  const halves = (at: Local<'i32'>, w: number): Pair =>
    pair(h => v128.and(i32x4.shl(v128.load16x4s(at, 16 * w + 8 * h), 13), mask[h]));
  return {
    factor: 2 ** 112,
    lines: i32.shrU(f.params.headDim, i32.const(3)),
    keyStep: 64,
    eachEight(page, position, key, body) {
      f.set(key, i32.add(page.keys, i32.shl(position, i32.const(1))));
      f.for(i32.shrU(f.params.headDim, i32.const(3)), () => body(w => halves(key, w)));
    },
    rowBytes: headDim => i32.shl(headDim, i32.const(1)),
    startColumn: () => {},
    values: halves,
    nextPosition: () => {},
    eachFour(page, dimensions, body) {
      const key = f.local('i32', page.keys);
      f.for(i32.shrU(dimensions, i32.const(2)), () => {
        body((i, w) => halves(key, w + 4 * i));
        f.advance(key, 256);
      });
    },
    columnBytes: 16,
  };
}

/** int8 times the scale of its position and its 32 dimensions. */
function q8(f: AttentionFunc, width: number): CacheReader {
  const { headDim } = f.params;
  const eight = f.local('v128');
  const keyScales = Array.from({ length: width }, () => pairLocal(f));
  const [scale, scales] = [f.local('v128'), f.local('i32')];
  const step = f.local('i32', i32.shrU(headDim, i32.const(3)));
  return {
    factor: 1,
    lines: i32.shrU(i32.add(i32.mul(headDim, i32.const(9)), i32.const(127)), i32.const(7)),
    keyStep: 32,
    eachEight(page, position, key, body) {
      f.set(key, i32.add(page.keys, position));
      f.set(scales, i32.add(page.keys, i32.shl(headDim, i32.const(5))));
      f.advance(scales, i32.shl(position, i32.const(2)));
      f.for(i32.shrU(headDim, i32.const(5)), () => {
        keyScales.forEach((scale, w) => {
          setPair(
            f,
            scale,
            pair(h => v128.load(scales, 32 * w + 16 * h)),
          );
        });
        f.for(i32.const(4), () =>
          body(w => {
            const raw = bytePair(f, key, 8 * w, eight);
            return pair(h => f32x4.mul(raw[h], keyScales[w][h]));
          }),
        );
        f.advance(scales, 128);
      });
    },
    rowBytes: headDim => headDim,
    startColumn(page, column) {
      // Scales of the first visible position, of the 32 dimensions that the column is in.
      f.set(scales, i32.add(page.values, i32.shl(headDim, i32.const(5))));
      f.advance(scales, i32.mul(page.low, step));
      const block = i32.shrU(i32.sub(column, page.values), i32.const(5));
      f.advance(scales, i32.shl(block, i32.const(2)));
    },
    values(value, w) {
      if (w === 0) f.set(scale, v128.splat32(scales));
      const raw = bytePair(f, value, 8 * w, eight);
      return pair(h => f32x4.mul(raw[h], scale));
    },
    nextPosition: () => f.advance(scales, step),
    eachFour(page, dimensions, body) {
      const key = f.local('i32', page.keys);
      f.set(scales, i32.add(page.keys, i32.shl(headDim, i32.const(5))));
      f.for(i32.shrU(dimensions, i32.const(5)), () => {
        f.for(i32.const(8), () => {
          body((i, w) => {
            const raw = bytePair(f, key, 32 * i + 8 * w, eight);
            return pair(h => f32x4.mul(raw[h], v128.load(scales, 32 * w + 16 * h)));
          });
          f.advance(key, 128);
        });
        f.advance(scales, 128);
      });
    },
    columnBytes: 8,
  };
}

/** Eight int8 as f32. */
function bytePair(f: AttentionFunc, at: Local<'i32'>, offset: number, into: Local<'v128'>): Pair {
  f.set(into, v128.load8x8s(at, offset));
  return [f32x4.convert(i32x4.extendLowS(into)), f32x4.convert(i32x4.extendHighS(into))];
}
