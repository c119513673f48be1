/** The weighted sum of a page's values where these are its keys' first dimensions: positions are lanes, as in the scores. */
import { f32, f32x4, i32, type Local, type V128, v128 } from '../assembler.ts';
import { storePair } from '../constants.ts';
import type { CacheReader } from './cache-format.ts';
import { type AttentionFunc, decayAt, type Page, scoresAt, stageAt } from './frame.ts';

const fours = [0, 1, 2, 3] as const;

/**
 * into[query][d] = into * decay + Σ weight[position] * key[d][position]: four sums over every fourth position, then
 * (sum[0] + sum[2]) + (sum[1] + sum[3]). Weights of what is not visible are 0.
 */
export function addWeightedKeys(
  f: AttentionFunc,
  queries: number,
  page: Page,
  cache: CacheReader,
  into: Local<'i32'>,
): void {
  const { scratch, valueDim } = f.params;
  const column = f.local('i32', into);
  const [row, word, target] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const [weight, decay] = [f.local('v128'), f.local('v128')];
  const sums = fours.map(() => f.local('v128'));
  cache.eachFour(page, valueDim, load => {
    for (const i of fours) for (const w of fours) storePair(f, scratch, load(i, w), stageAt + 128 * i + 32 * w);
    f.set(row, scratch);
    f.set(word, scratch);
    f.set(target, column);
    f.for(i32.const(queries), () => {
      for (const sum of sums) f.set(sum, f32x4.splat(f32.const(0)));
      for (let j = 0; j < 8; j++) {
        f.set(weight, v128.load(row, scoresAt + 16 * j));
        sums.forEach((sum, i) => {
          f.set(sum, f32x4.add(sum, f32x4.mul(weight, v128.load(scratch, stageAt + 128 * i + 16 * j))));
        });
      }
      f.set(decay, f32x4.mul(v128.load(target), v128.splat32(word, decayAt)));
      f.store(target, f32x4.add(decay, lanesOf(f, sums)));
      f.advance(row, 128);
      f.advance(word, 4);
      f.advance(target, i32.shl(valueDim, i32.const(2)));
    });
    f.advance(column, 16);
  });
}

/** Lane i: the lanes of sums[i], (l[0] + l[2]) + (l[1] + l[3]). */
function lanesOf(f: AttentionFunc, sums: readonly Local<'v128'>[]): V128 {
  const [a, b] = [0, 2].map(i => f.local('v128', halvesOf(sums[i], sums[i + 1])));
  return f32x4.add(words(a, b, [0, 1, 4, 5]), words(a, b, [2, 3, 6, 7]));
}

/** a[0] + a[2], b[0] + b[2], a[1] + a[3], b[1] + b[3] */
const halvesOf = (a: Local<'v128'>, b: Local<'v128'>): V128 =>
  f32x4.add(words(a, b, [0, 4, 1, 5]), words(a, b, [2, 6, 3, 7]));

/** Words of both, by their number: the second's are 4 to 7. */
const words = (a: Local<'v128'>, b: Local<'v128'>, which: readonly number[]): V128 =>
  v128.shuffle(
    a,
    b,
    which.flatMap(word => [0, 1, 2, 3].map(byte => 4 * word + byte)),
  );
