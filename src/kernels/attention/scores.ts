/** Scores of a page: the queries, scaled once, times its keys. */
import { f32, f32x4, type I32, i32, v128 } from '../assembler.ts';
import { constant, pair, pairLocal, setPair, storePair } from '../constants.ts';
import type { CacheReader } from './cache-format.ts';
import { type AttentionFunc, type Page, queriesAt, scoresAt, widthOf } from './frame.ts';

/** The queries times `scale`, and what the keys lack, to the scratch, eight dimensions of each query after the other. */
export function scaleQueries(f: AttentionFunc, queries: number, cache: CacheReader): void {
  const { q, rotated, headDim, valueDim, scale, scratch } = f.params;
  const at = f.local('i32', scratch);
  const [row, source] = [f.local('i32'), f.local('i32')];
  const factor = f.local('v128', f32x4.splat(scale));
  const lacking = f.local('v128', f32x4.splat(f32.const(cache.factor)));
  const part = (from: I32, dimensions: I32): void => {
    f.set(row, from);
    f.for(i32.shrU(dimensions, i32.const(3)), () => {
      f.set(source, row);
      for (let i = 0; i < queries; i++) {
        const scaled = pair(h => f32x4.mul(f32x4.mul(v128.load(source, 16 * h), factor), lacking));
        storePair(f, at, scaled, queriesAt + 32 * i);
        f.advance(source, i32.shl(dimensions, i32.const(2)));
      }
      f.advance(at, 32 * queries);
      f.advance(row, 32);
    });
  };
  part(q, valueDim);
  part(rotated, i32.sub(headDim, valueDim));
}

/** scores[query][position] = Σ q[d] * key[d][position]. */
export function scores(f: AttentionFunc, queries: number, page: Page, cache: CacheReader): void {
  const width = widthOf(queries);
  const sums = Array.from({ length: queries }, () => Array.from({ length: width }, () => pairLocal(f)));
  const keys = Array.from({ length: width }, () => pairLocal(f));
  const [key, q, factor] = [f.local('i32'), f.local('i32'), f.local('v128')];
  const target = f.local('i32', f.params.scratch);
  const zero = constant(f, 'zero');
  f.for(
    i32.const(32),
    position => {
      for (const sum of sums.flat()) setPair(f, sum, zero);
      f.set(q, f.params.scratch);
      cache.eachEight(page, position, key, load => {
        for (let d = 0; d < 8; d++) {
          keys.forEach((pair, w) => void setPair(f, pair, load(w)));
          sums.forEach((sum, i) => {
            f.set(factor, v128.splat32(q, queriesAt + 32 * i));
            sum.forEach((part, w) => {
              setPair(
                f,
                part,
                pair(h => f32x4.add(part[h], f32x4.mul(factor, keys[w][h]))),
              );
            });
          });
          f.advance(key, cache.keyStep);
          f.advance(q, 4);
        }
        f.advance(q, 32 * queries - 32);
      });
      sums.forEach((sum, i) => {
        sum.forEach((part, w) => void storePair(f, target, part, scoresAt + 128 * i + 32 * w));
      });
      f.advance(target, 32 * width);
    },
    8 * width,
  );
}
