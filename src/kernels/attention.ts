/**
 * Attention over a paged cache. A page holds 32 positions of one key-value head: keys as [headDim][32] and values as
 * [32][headDim], so that scores have positions as lanes and the output has dimensions as lanes: no horizontal sums.
 * Where values are the first dimensions of keys (latent attention) only keys are held, and values are summed with positions as lanes.
 * They are F16; or int8 with an f32 scale for 32 dimensions of a position, keys' scales [headDim / 32][32] behind the keys,
 * values' scales [32][headDim / 32] behind the values (Q8_0).
 * Softmax runs online over the pages of a split (arXiv:2205.14135), pages ascending, splits are combined, and one kernel
 * call serves up to eight query heads of one token that share the key-value head: each key and value is read once for all.
 */
import { Func, type I32, i32 } from './assembler.ts';
import { type CacheReader, type CacheType, cacheReader } from './attention/cache-format.ts';
import { type AttentionFunc, attentionParams, eightsAt, type Page, splitPages, widthOf } from './attention/frame.ts';
import { addWeightedKeys } from './attention/latent.ts';
import { addWeightedValues, clear, normalise } from './attention/output.ts';
import { scaleQueries, scores } from './attention/scores.ts';
import { softmax, startSoftmax } from './attention/softmax.ts';
import { addSinks, eachSplit } from './attention/splits.ts';

export { type CacheType, cacheTypes, headBytes } from './attention/cache-format.ts';
export { maxQueries } from './attention/frame.ts';

export const attentionName = (type: CacheType, queries: number): string => `attention_${type}x${queries}`;

export function attention(type: CacheType, queries: number): AttentionFunc {
  const f = new Func(attentionName(type, queries), attentionParams);
  const { from, to } = f.params;
  const page: Page = { keys: f.local('i32'), values: f.local('i32'), low: f.local('i32'), high: f.local('i32') };
  const cache = cacheReader(f, type, widthOf(queries));
  scaleQueries(f, queries, cache);
  const index = f.local('i32', i32.shrU(from, i32.const(5)));
  const [start, end] = [f.local('i32', i32.shl(index, i32.const(5))), f.local('i32')];
  eachSplit(f, queries, start, into => {
    startSoftmax(f);
    clear(f, queries, into);
    f.set(end, splitEnd(index));
    f.if(i32.ltU(to, end), () => f.set(end, to));
    f.doWhile(
      () => {
        placePage(f, page, index, start);
        readLines(f, page, cache);
        scores(f, queries, page, cache);
        softmax(f, queries, page, cache);
        f.if(
          f.params.valuesAt,
          () => addWeightedValues(f, queries, page, cache, into),
          () => addWeightedKeys(f, queries, page, cache, into),
        );
        f.advance(index, 1);
        f.set(start, i32.shl(index, i32.const(5)));
      },
      () => i32.ltU(start, end),
    );
  });
  addSinks(f, queries);
  normalise(f, queries);
  return f;
}

/** The position behind the split that the page is in. */
const splitEnd = (page: I32) => i32.shl(i32.add(i32.or(page, i32.const(splitPages - 1)), i32.const(1)), i32.const(5));

function placePage(f: AttentionFunc, page: Page, index: I32, start: I32): void {
  const { pages, base, pageBytes, valuesAt, from, to } = f.params;
  f.set(page.low, positive(i32.sub(from, start)));
  f.set(page.high, atMost32(i32.sub(to, start)));
  f.set(page.keys, i32.add(base, i32.mul(pageBytes, i32.load(i32.add(pages, i32.shl(index, i32.const(2)))))));
  f.set(page.values, i32.add(page.keys, valuesAt));
}

/** Runs of a page's keys, and of its values, that are read side by side. */
const runs = 4;

/**
 * Reads a word of every cache line of the page: reads that wait for nothing else come from memory many at a time. Side by side the
 * runs wait for the addresses of their pages of memory at once, and the processor reads ahead in each: one run after the other
 * attention took up to twice as long.
 */
function readLines(f: AttentionFunc, page: Page, cache: CacheReader): void {
  const { scratch } = f.params;
  const seen = f.local('i32', i32.const(0));
  const bytes = f.local('i32', i32.mul(cache.lines, i32.const((8 * 64) / runs)));
  const places = [page.keys, page.values].flatMap(start =>
    Array.from({ length: runs }, (_, run) => f.local('i32', i32.add(start, i32.mul(bytes, i32.const(run))))),
  );
  f.for(cache.lines, () => {
    for (let line = 0; line < 8 / runs; line++)
      for (const at of places) f.set(seen, i32.or(seen, i32.load(at, 64 * line)));
    for (const at of places) f.advance(at, (8 * 64) / runs);
  });
  f.store32(scratch, seen, eightsAt);
}

const positive = (value: I32) => i32.mul(value, i32.gtS(value, i32.const(0)));
const atMost32 = (value: I32) => i32.sub(i32.const(32), positive(i32.sub(i32.const(32), value)));
