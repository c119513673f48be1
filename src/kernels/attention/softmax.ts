/** Scores of a page to weights, with the running maximum and sum (arXiv:2205.14135). */
import { f32, f32x4, i32, i32x4, type Local, type V128, v128 } from '../assembler.ts';
import { constant, type Pair, pair, pairLocal, positionsAddress, setPair } from '../constants.ts';
import { expConstants, expOf, tanh } from '../math.ts';
import { constants, storePair } from '../product.ts';
import type { CacheReader } from './cache-format.ts';
import { type AttentionFunc, decayAt, eightsAt, maxAt, nextMaxAt, type Page, scoresAt, totalAt } from './frame.ts';

/** What a call begins with: no score yet, and nothing summed. */
export function startSoftmax(f: AttentionFunc): void {
  const { scratch } = f.params;
  storePair(f, scratch, constant(f, 'minusInfinity'), maxAt);
  for (const at of [nextMaxAt, totalAt]) storePair(f, scratch, constant(f, 'zero'), at);
}

/** Scores to weights: exp(score - max), 0 where not visible; the running maximum and sum follow. */
export function softmax(f: AttentionFunc, queries: number, page: Page, cache: CacheReader): void {
  const { cap, scratch } = f.params;
  f.if(f32.lt(f32.const(0), cap), () => softcapScores(f, queries));
  f.if(i32.ltU(i32.sub(page.high, page.low), i32.const(32)), () => hideInvisible(f, queries, page));
  const [at, slot, eight] = [f.local('i32', scratch), f.local('i32', scratch), f.local('i32', scratch)];
  const factor = f.local('v128', f32x4.splat(f32.const(cache.factor)));
  const get = constants(f, ['minusInfinity', ...expConstants]);
  const [max, score] = [f.local('v128'), pairLocal(f)];
  const weights = [0, 1, 2, 3].map(() => pairLocal(f));
  f.for(i32.const(queries), () => {
    nextMax(f, at, slot, eight);
    f.set(max, v128.splat32(slot, nextMaxAt));
    weights.forEach((weight, i) => {
      const offset = scoresAt + 32 * i;
      setPair(
        f,
        score,
        pair(h => v128.load(at, offset + 16 * h)),
      );
      const e = expOf(
        f,
        pair(h => f32x4.sub(score[h], max)),
        get,
      );
      setPair(
        f,
        weight,
        pair(h => v128.and(e[h], f32x4.lt(get('minusInfinity')[h], score[h]))),
      );
      storePair(
        f,
        at,
        pair(h => f32x4.mul(weight[h], factor)),
        offset,
      );
    });
    // ((p[j] + p[j+8]) + p[j+16]) + p[j+24]
    const sum = (weights as Pair[]).reduce((a, b) => pair(h => f32x4.add(a[h], b[h])));
    storePair(f, eight, sum, eightsAt);
    f.advance(at, 128);
    f.advance(slot, 4);
    f.advance(eight, 32);
  });
  carry(f, queries, get);
}

/** The larger of the running maximum and the page's largest score. */
function nextMax(f: AttentionFunc, at: Local<'i32'>, slot: Local<'i32'>, eight: Local<'i32'>): void {
  const loads = [0, 1, 2, 3].map(i => pair(h => v128.load(at, scoresAt + 32 * i + 16 * h)));
  const largest = loads.reduce((a, b) => pair(h => f32x4.pmax(a[h], b[h])));
  storePair(f, eight, largest, eightsAt);
  const best = f.local('v128', f32x4.pmax(v128.load(eight, eightsAt), v128.load(eight, eightsAt + 16)));
  f.set(best, f32x4.pmax(best, swap(best, 2)));
  f.set(best, f32x4.pmax(best, swap(best, 1)));
  f.set(best, f32x4.pmax(best, v128.splat32(slot, maxAt)));
  f.storeF32(slot, f32x4.lane(best, 0), nextMaxAt);
}

/** The lanes that are `by` apart change places. */
const swap = (v: Local<'v128'>, by: 1 | 2): V128 =>
  v128.shuffle(
    v,
    v,
    Array.from({ length: 16 }, (_, i) => i ^ (4 * by)),
  );

/** exp(max - next max) of all queries, 0 on the first page, where max is still -infinity; total = total * that + the page's sum. */
function carry(f: AttentionFunc, queries: number, get: ReturnType<typeof constants>): void {
  const { scratch } = f.params;
  const [sum, next] = [f.local('v128'), pairLocal(f)];
  const before = pairLocal(f);
  setPair(
    f,
    before,
    pair(h => v128.load(scratch, maxAt + 16 * h)),
  );
  setPair(
    f,
    next,
    pair(h => v128.load(scratch, nextMaxAt + 16 * h)),
  );
  const e = expOf(
    f,
    pair(h => f32x4.sub(before[h], next[h])),
    get,
  );
  const decay = pair(h => v128.and(e[h], f32x4.lt(get('minusInfinity')[h], before[h])));
  storePair(f, scratch, decay, decayAt);
  storePair(f, scratch, next, maxAt);
  for (let i = 0; i < queries; i++) {
    // t[j] + t[j+4], then + t[j+2], then + t[j+1].
    const at = eightsAt + 32 * i;
    f.set(sum, f32x4.add(v128.load(scratch, at), v128.load(scratch, at + 16)));
    f.set(sum, f32x4.add(sum, swap(sum, 2)));
    f.set(sum, f32x4.add(sum, swap(sum, 1)));
    const earlier = f32.mul(f32.load(scratch, totalAt + 4 * i), f32.load(scratch, decayAt + 4 * i));
    f.storeF32(scratch, f32.add(earlier, f32x4.lane(sum, 0)), totalAt + 4 * i);
  }
}

/** Runs `body` for every eight scores of all queries. */
function eachEight(f: AttentionFunc, queries: number, body: (at: Local<'i32'>, eight: number) => void): void {
  const at = f.local('i32', f.params.scratch);
  f.for(i32.const(queries), () => {
    for (let eight = 0; eight < 4; eight++) body(at, eight);
    f.advance(at, 128);
  });
}

/** -infinity in the place of scores of positions that are not visible. */
function hideInvisible(f: AttentionFunc, queries: number, page: Page): void {
  const minusInfinity = constant(f, 'minusInfinity');
  const low = f.local('v128', i32x4.splat(i32.sub(page.low, i32.const(1))));
  const high = f.local('v128', i32x4.splat(page.high));
  eachEight(f, queries, (at, eight) => {
    const hidden = pair(h => {
      const positions = v128.load(i32.const(positionsAddress), 32 * eight + 16 * h);
      const visible = v128.and(i32x4.gtS(positions, low), i32x4.gtS(high, positions));
      return v128.bitselect(v128.load(at, scoresAt + 32 * eight + 16 * h), minusInfinity[h], visible);
    });
    storePair(f, at, hidden, scoresAt + 32 * eight);
  });
}

function softcapScores(f: AttentionFunc, queries: number): void {
  const { cap } = f.params;
  const inverse = f.local('v128', f32x4.splat(f32.div(f32.const(1), cap)));
  const most = f.local('v128', f32x4.splat(cap));
  const score = pairLocal(f);
  eachEight(f, queries, (at, eight) => {
    setPair(
      f,
      score,
      pair(h => f32x4.mul(v128.load(at, scoresAt + 32 * eight + 16 * h), inverse)),
    );
    const t = tanh(f, score);
    storePair(
      f,
      at,
      pair(h => f32x4.mul(most, t[h])),
      scoresAt + 32 * eight,
    );
  });
}
