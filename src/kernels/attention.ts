/**
 * Attention over a paged cache. A page holds 32 positions of one key-value head: keys as [headDim][32] and values as
 * [32][headDim], so that scores have positions as lanes and the output has dimensions as lanes: no horizontal sums.
 * They are F16; or int8 with an f32 scale for 32 dimensions of a position, keys' scales [headDim / 32][32] behind the keys,
 * values' scales [32][headDim / 32] behind the values (Q8_0). Softmax runs online over the pages (arXiv:2205.14135), pages ascending, and one kernel call serves up
 * to four query heads of one token that share the key-value head: each key and value is read once for all of them.
 */
import { Func, f32, type I32, i32 } from './assembler.ts';
import { type CacheType, cacheReader } from './attention/cache-format.ts';
import { type AttentionFunc, attentionParams, type Page, type State } from './attention/frame.ts';
import { normalise, weigh } from './attention/output.ts';
import { scaleQueries, scores } from './attention/scores.ts';
import { softmax } from './attention/softmax.ts';

export { type CacheType, cacheTypes, headBytes } from './attention/cache-format.ts';

export const attentionName = (type: CacheType, queries: number): string => `attention_${type}x${queries}`;

/** Most query heads of one call. */
export const maxQueries = 4;

export function attention(type: CacheType, queries: number): AttentionFunc {
  const f = new Func(attentionName(type, queries), attentionParams);
  const { headDim, pages, base, pageBytes, valuesAt, from, to, scratch } = f.params;
  const floats = () => Array.from({ length: queries }, () => f.local('f32'));
  const state: State = { max: floats(), total: floats(), decay: floats() };
  const page: Page = {
    keys: f.local('i32'),
    values: f.local('i32'),
    scores: f.local('i32', i32.add(scratch, i32.mul(headDim, i32.const(4 * queries)))),
    low: f.local('i32'),
    high: f.local('i32'),
  };
  for (const max of state.max) f.set(max, f32.const(-Infinity));
  const cache = cacheReader(f, type);
  scaleQueries(f, queries, cache);
  const index = f.local('i32', i32.shrU(from, i32.const(5)));
  const start = f.local('i32');
  f.doWhile(
    () => {
      f.set(start, i32.shl(index, i32.const(5)));
      f.set(page.low, positive(i32.sub(from, start)));
      f.set(page.high, atMost32(i32.sub(to, start)));
      f.set(page.keys, i32.add(base, i32.mul(pageBytes, i32.load(i32.add(pages, i32.shl(index, i32.const(2)))))));
      f.set(page.values, i32.add(page.keys, valuesAt));
      scores(f, queries, page, cache);
      softmax(f, queries, page, state, cache);
      weigh(f, queries, page, state, cache);
      f.advance(index, 1);
    },
    () => i32.ltU(i32.shl(index, i32.const(5)), to),
  );
  normalise(f, state);
  return f;
}

const positive = (value: I32) => i32.mul(value, i32.gtS(value, i32.const(0)));
const atMost32 = (value: I32) => i32.sub(i32.const(32), positive(i32.sub(i32.const(32), value)));
