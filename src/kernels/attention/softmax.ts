/** Scores of a page to weights, with the running maximum and sum (arXiv:2205.14135). */
import { f32, f32x4, i32, i32x4, type Local, type V128, v128 } from '../assembler.ts';
import { constant, constants, type Pair, pair, pairLocal, positionsAddress, setPair, storePair } from '../constants.ts';
import { exp, mathConstants, tanh } from '../math.ts';
import type { CacheReader } from './cache-format.ts';
import { type AttentionFunc, decayAt, eightsAt, maxAt, nextMaxAt, type Page, scoresAt, totalAt } from './frame.ts';

/** The eights of a page's positions. */
const eights = [0, 1, 2, 3];

/** What a call begins with: no score yet, and nothing summed. */
export function startSoftmax(f: AttentionFunc): void {
  const { scratch } = f.params;
  storePair(f, scratch, constant(f, 'minusInfinity'), maxAt);
  for (const at of [nextMaxAt, totalAt]) storePair(f, scratch, constant(f, 'zero'), at);
}

/** Scores to weights: exp(score - max), 0 where not visible; the running maximum and sum follow. */
export function softmax(f: AttentionFunc, queries: number, page: Page, cache: CacheReader): void {
  const { cap } = f.params;
  f.if(f32.lt(f32.const(0), cap), () => softcapScores(f, queries));
  f.if(i32.ltU(i32.sub(page.high, page.low), i32.const(32)), () => hideInvisible(f, queries, page));
  nextMaxima(f, queries);
  const get = constants(f, ['minusInfinity', ...mathConstants]);
  weightsOf(f, queries, cache, get);
  carry(f, queries, get);
}

type Constants = ReturnType<typeof constants>;

/** Runs `body` for every query: at its scores, its word of the arrays of eight, and its eight sums. */
function eachQuery(
  f: AttentionFunc,
  queries: number,
  body: (row: Local<'i32'>, word: Local<'i32'>, eight: Local<'i32'>) => void,
): void {
  const [row, word, eight] = [0, 1, 2].map(() => f.local('i32', f.params.scratch));
  f.for(i32.const(queries), () => {
    body(row, word, eight);
    f.advance(row, 128);
    f.advance(word, 4);
    f.advance(eight, 32);
  });
}

/** Eight scores, or weights, of a query. */
const eightAt = (row: Local<'i32'>, index: number): Pair => pair(h => v128.load(row, scoresAt + 32 * index + 16 * h));

/** The larger of the running maximum and the page's largest score. */
function nextMaxima(f: AttentionFunc, queries: number): void {
  const best = f.local('v128');
  eachQuery(f, queries, (row, word, eight) => {
    const largest = eights.map(i => eightAt(row, i)).reduce((a, b) => pair(h => f32x4.pmax(a[h], b[h])));
    storePair(f, eight, largest, eightsAt);
    f.set(best, f32x4.pmax(v128.load(eight, eightsAt), v128.load(eight, eightsAt + 16)));
    f.set(best, f32x4.pmax(best, swap(best, 2)));
    f.set(best, f32x4.pmax(best, swap(best, 1)));
    f.set(best, f32x4.pmax(best, v128.splat32(word, maxAt)));
    f.storeF32(word, f32x4.lane(best, 0), nextMaxAt);
  });
}

/** Weights in the place of scores, and their sums in eights: ((p[j] + p[j+8]) + p[j+16]) + p[j+24]. */
function weightsOf(f: AttentionFunc, queries: number, cache: CacheReader, get: Constants): void {
  const [max, score] = [f.local('v128'), pairLocal(f)];
  const factor = f.local('v128', f32x4.splat(f32.const(cache.factor)));
  const weights = eights.map(() => pairLocal(f));
  eachQuery(f, queries, (row, word, eight) => {
    f.set(max, v128.splat32(word, nextMaxAt));
    weights.forEach((weight, i) => {
      setPair(f, score, eightAt(row, i));
      const difference = pair(h => f32x4.sub(score[h], max));
      const e = exp(f, difference, get);
      const visible = pair(h => f32x4.lt(get('minusInfinity')[h], score[h]));
      const visibleOnly = pair(h => v128.and(e[h], visible[h]));
      setPair(f, weight, visibleOnly);
      const scaled = pair(h => f32x4.mul(weight[h], factor));
      storePair(f, row, scaled, scoresAt + 32 * i);
    });
    const sum = (weights as Pair[]).reduce((a, b) => pair(h => f32x4.add(a[h], b[h])));
    storePair(f, eight, sum, eightsAt);
  });
}

/** The lanes that are `by` apart change places. */
const swap = (v: Local<'v128'>, by: 1 | 2): V128 =>
  v128.shuffle(
    v,
    v,
    Array.from({ length: 16 }, (_, i) => i ^ (4 * by)),
  );

/** decay = exp(max - next max), 0 on the first page, where max is -infinity; total = total * decay + the page's sum. */
function carry(f: AttentionFunc, queries: number, get: Constants): void {
  const { scratch } = f.params;
  const [before, next, sum] = [pairLocal(f), pairLocal(f), f.local('v128')];
  const [atBefore, atNext] = [maxAt, nextMaxAt].map(at => pair(h => v128.load(scratch, at + 16 * h)));
  setPair(f, before, atBefore);
  setPair(f, next, atNext);
  const difference = pair(h => f32x4.sub(before[h], next[h]));
  const e = exp(f, difference, get);
  const decay = pair(h => v128.and(e[h], f32x4.lt(get('minusInfinity')[h], before[h])));
  storePair(f, scratch, decay, decayAt);
  storePair(f, scratch, next, maxAt);
  eachQuery(f, queries, (_, word, eight) => {
    // t[j] + t[j+4], then + t[j+2], then + t[j+1].
    f.set(sum, f32x4.add(v128.load(eight, eightsAt), v128.load(eight, eightsAt + 16)));
    f.set(sum, f32x4.add(sum, swap(sum, 2)));
    f.set(sum, f32x4.add(sum, swap(sum, 1)));
    const earlier = f32.mul(f32.load(word, totalAt), f32.load(word, decayAt));
    f.storeF32(word, f32.add(earlier, f32x4.lane(sum, 0)), totalAt);
  });
}

/** -infinity in the place of scores of positions that are not visible. */
function hideInvisible(f: AttentionFunc, queries: number, page: Page): void {
  const minusInfinity = constant(f, 'minusInfinity');
  const low = f.local('v128', i32x4.splat(i32.sub(page.low, i32.const(1))));
  const high = f.local('v128', i32x4.splat(page.high));
  eachQuery(f, queries, row => {
    for (const i of eights) {
      const positions = pair(h => v128.load(i32.const(positionsAddress), 32 * i + 16 * h));
      const visible = pair(h => v128.and(i32x4.gtS(positions[h], low), i32x4.gtS(high, positions[h])));
      const score = eightAt(row, i);
      const shown = pair(h => v128.bitselect(score[h], minusInfinity[h], visible[h]));
      storePair(f, row, shown, scoresAt + 32 * i);
    }
  });
}

function softcapScores(f: AttentionFunc, queries: number): void {
  const { cap } = f.params;
  const inverse = f.local('v128', f32x4.splat(f32.div(f32.const(1), cap)));
  const most = f.local('v128', f32x4.splat(cap));
  const get = constants(f, mathConstants);
  eachQuery(f, queries, row => {
    for (const i of eights) {
      const score = eightAt(row, i);
      const scaled = pair(h => f32x4.mul(score[h], inverse));
      const t = tanh(f, scaled, get);
      const capped = pair(h => f32x4.mul(most, t[h]));
      storePair(f, row, capped, scoresAt + 32 * i);
    }
  });
}
