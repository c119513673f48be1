/** Scores of a page: the queries, scaled once, times its keys. */
import { f32, f32x4, i32, v128 } from '../assembler.ts';
import { pair, pairLocal, setPair, storePair } from '../constants.ts';
import type { CacheReader } from './cache-format.ts';
import type { AttentionFunc, Page } from './frame.ts';

/** scratch[d][query] = q[query][d] * scale, times what the keys lack. */
export function scaleQueries(f: AttentionFunc, queries: number, cache: CacheReader): void {
  const { q, headDim, scale, scratch } = f.params;
  const at = f.local('i32', scratch);
  const row = f.local('i32', q);
  const source = f.local('i32');
  f.for(headDim, () => {
    f.set(source, row);
    for (let i = 0; i < queries; i++) {
      f.storeF32(at, f32.mul(f32.mul(f32.load(source), scale), f32.const(cache.factor)), 4 * i);
      f.advance(source, i32.shl(headDim, i32.const(2)));
    }
    f.advance(at, 4 * queries);
    f.advance(row, 4);
  });
}

/** scores[query][position] = Σ q[d] * key[d][position], sixteen positions at a time. */
export function scores(f: AttentionFunc, queries: number, page: Page, cache: CacheReader): void {
  const { scratch } = f.params;
  const sums = Array.from({ length: queries }, () => [pairLocal(f), pairLocal(f)] as const);
  const keys = [pairLocal(f), pairLocal(f)];
  const [key, q, factor] = [f.local('i32'), f.local('i32'), f.local('v128')];
  for (const sixteen of [0, 1] as const) {
    for (const sum of sums.flat())
      setPair(
        f,
        sum,
        pair(() => v128.const(new Uint8Array(16))),
      );
    f.set(key, page.keys);
    f.set(q, scratch);
    cache.eachDimension(page, sixteen, key, load => {
      for (const part of [0, 1] as const) setPair(f, keys[part], load(part));
      sums.forEach((sum, i) => {
        f.set(factor, v128.splat32(q, 4 * i));
        for (const part of [0, 1])
          setPair(
            f,
            sum[part],
            pair(h => f32x4.add(sum[part][h], f32x4.mul(factor, keys[part][h]))),
          );
      });
      f.advance(key, cache.keyStep);
      f.advance(q, 4 * queries);
    });
    sums.forEach((sum, i) => {
      for (const part of [0, 1]) storePair(f, page.scores, sum[part], 128 * i + 64 * sixteen + 32 * part);
    });
  }
}
