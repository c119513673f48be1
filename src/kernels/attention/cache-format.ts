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
  /** Bytes between two dimensions of the keys. */
  readonly keyStep: number;
  /** Runs `body` for each dimension; `load` gives the keys of eight positions, `first` and up. */
  eachDimension(page: Page, sixteen: 0 | 1, key: Local<'i32'>, body: (load: (part: 0 | 1) => Pair) => void): void;
  /** Bytes of a value row of `headDim`. */
  rowBytes(headDim: I32): I32;
  /** Called before the positions of eight dimensions are walked. */
  startColumn(page: Page, column: Local<'i32'>): void;
  /** The eight values of the position at `value`. */
  values(value: Local<'i32'>): Pair;
  nextPosition(): void;
  /** Bytes of eight values. */
  readonly columnBytes: number;
}

/** The reader of a format, in the kernel `f`. */
export const cacheReader = (f: AttentionFunc, type: CacheType): CacheReader => (type === 'F16' ? f16(f) : q8(f));

/** F16 without hardware for it: the bits in f32's place, 2^112 too small (see constants.ts). */
function f16(f: AttentionFunc): CacheReader {
  const mask = constant(f, 'halfMask');
  return {
    factor: 2 ** 112,
    keyStep: 64,
    eachDimension(_, sixteen, key, body) {
      f.for(f.params.headDim, () => body(part => halfPair(key, 32 * sixteen + 16 * part, mask)));
    },
    rowBytes: headDim => i32.shl(headDim, i32.const(1)),
    startColumn: () => {},
    values: value => halfPair(value, 0, mask),
    nextPosition: () => {},
    columnBytes: 16,
  };
}

/** Four f16 of each half at `offset`, as f32 times 2^-112. */
const halfPair = (at: Local<'i32'>, offset: number, mask: Pair): Pair =>
  pair(h => v128.and(i32x4.shl(v128.load16x4s(at, offset + 8 * h), 13), mask[h]));

/** int8 times the scale of its position and its 32 dimensions. */
function q8(f: AttentionFunc): CacheReader {
  const { headDim } = f.params;
  const eight = f.local('v128');
  const keyScales = [pairLocal(f), pairLocal(f)];
  const [scales, step] = [f.local('i32'), f.local('i32', i32.shrU(headDim, i32.const(3)))];
  const start = f.local('i32');
  return {
    factor: 1,
    keyStep: 32,
    eachDimension(page, sixteen, key, body) {
      f.set(scales, i32.add(page.keys, i32.shl(headDim, i32.const(5))));
      f.for(i32.shrU(headDim, i32.const(5)), () => {
        for (const part of [0, 1] as const) {
          const at = 64 * sixteen + 32 * part;
          setPair(
            f,
            keyScales[part],
            pair(h => v128.load(scales, at + 16 * h)),
          );
        }
        f.for(i32.const(32), () =>
          body(part => {
            const raw = bytePair(f, key, 16 * sixteen + 8 * part, eight);
            return pair(h => f32x4.mul(raw[h], keyScales[part][h]));
          }),
        );
        f.advance(scales, 128);
      });
    },
    rowBytes: headDim => headDim,
    startColumn(page, column) {
      // Scales of the first visible position, of the 32 dimensions that the column is in.
      f.set(start, i32.add(page.values, i32.shl(headDim, i32.const(5))));
      f.set(start, i32.add(start, i32.mul(page.low, step)));
      const block = i32.shrU(i32.sub(column, page.values), i32.const(5));
      f.set(scales, i32.add(start, i32.shl(block, i32.const(2))));
    },
    values(value) {
      const raw = bytePair(f, value, 0, eight);
      return pair(h => f32x4.mul(raw[h], v128.splat32(scales)));
    },
    nextPosition: () => f.advance(scales, step),
    columnBytes: 8,
  };
}

/** Eight int8 as f32. */
function bytePair(f: AttentionFunc, at: Local<'i32'>, offset: number, into: Local<'v128'>): Pair {
  f.set(into, v128.load8x8s(at, offset));
  return [f32x4.convert(i32x4.extendLowS(into)), f32x4.convert(i32x4.extendHighS(into))];
}
