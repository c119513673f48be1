/** Scores of a page to weights, with the running maximum and sum (arXiv:2205.14135). */
import { f32, f32x4, i32, i32x4, type Local, v128 } from '../assembler.ts';
import { type Pair, pair, pairLocal, positionsAddress, setPair, storePair } from '../constants.ts';
import { exp, lanesMax, tanh } from '../math.ts';
import type { CacheReader } from './cache-format.ts';
import type { AttentionFunc, Page, State } from './frame.ts';

/** Scores to weights: exp(score - max), 0 where not visible; the running maximum and sum follow. */
export function softmax(f: AttentionFunc, queries: number, page: Page, state: State, cache: CacheReader): void {
  const { cap } = f.params;
  const [scorePair, visible] = [pairLocal(f), pairLocal(f)];
  const best = f.local('v128');
  const at = f.local('i32', page.scores);
  for (let i = 0; i < queries; i++) {
    const { [i]: max } = state.max;
    f.set(best, f32x4.splat(max));
    eachEight(eight => {
      setPair(
        f,
        scorePair,
        pair(h => v128.load(at, 32 * eight + 16 * h)),
      );
      f.if(f32.lt(f32.const(0), cap), () => softcapScores(f, scorePair));
      setPair(f, visible, visibleIn(page, eight));
      setPair(
        f,
        scorePair,
        pair(h => v128.bitselect(scorePair[h], f32x4.splat(f32.const(-Infinity)), visible[h])),
      );
      storePair(f, at, scorePair, 32 * eight);
      f.set(best, f32x4.max(best, f32x4.max(scorePair[0], scorePair[1])));
    });
    const newMax = f.local('f32', lanesMax(best));
    const weights = [0, 1, 2, 3].map(() => pairLocal(f));
    eachEight(eight => {
      setPair(
        f,
        scorePair,
        pair(h => f32x4.sub(v128.load(at, 32 * eight + 16 * h), f32x4.splat(newMax))),
      );
      const e = exp(f, scorePair);
      setPair(f, visible, visibleIn(page, eight));
      setPair(
        f,
        weights[eight],
        pair(h => v128.and(e[h], visible[h])),
      );
      storePair(
        f,
        at,
        pair(h => f32x4.mul(weights[eight][h], f32x4.splat(f32.const(cache.factor)))),
        32 * eight,
      );
    });
    f.set(state.decay[i], decayOf(f, max, newMax));
    f.set(max, newMax);
    f.set(state.total[i], f32.add(f32.mul(state.total[i], state.decay[i]), sumPage(f, weights)));
    f.advance(at, 128);
  }
}

function eachEight(body: (eight: number) => void): void {
  for (let eight = 0; eight < 4; eight++) body(eight);
}

/** All ones in the lanes of visible positions. */
const visibleIn = (page: Page, eight: number): Pair =>
  pair(h => {
    const positions = v128.load(i32.const(positionsAddress), 32 * eight + 16 * h);
    const low = i32x4.gtS(positions, i32x4.splat(i32.sub(page.low, i32.const(1))));
    return v128.and(low, i32x4.gtS(i32x4.splat(page.high), positions));
  });

function softcapScores(f: AttentionFunc, scorePair: Pair<Local<'v128'>>): void {
  const { cap } = f.params;
  const inverse = f.local('f32', f32.div(f32.const(1), cap));
  setPair(
    f,
    scorePair,
    pair(h => f32x4.mul(scorePair[h], f32x4.splat(inverse))),
  );
  const t = tanh(f, scorePair);
  setPair(
    f,
    scorePair,
    pair(h => f32x4.mul(f32x4.splat(cap), t[h])),
  );
}

/** exp(max - newMax); 0 on the first page, where max is still -infinity. */
function decayOf(f: AttentionFunc, max: Local<'f32'>, newMax: Local<'f32'>) {
  const difference = pairLocal(f);
  setPair(
    f,
    difference,
    pair(() => f32x4.splat(f32.sub(max, newMax))),
  );
  const e = exp(f, difference);
  return f32.select(f32.const(0), f32x4.lane(e[0], 0), f32.lt(max, f32.const(-3.4028234e38)));
}

/** ((p[j] + p[j+8]) + p[j+16]) + p[j+24], then the eight in halves. */
function sumPage(f: AttentionFunc, weights: readonly Pair[]) {
  const eight = pairLocal(f);
  setPair(f, eight, weights[0]);
  for (const next of weights.slice(1))
    setPair(
      f,
      eight,
      pair(h => f32x4.add(eight[h], next[h])),
    );
  const four = f.local('v128', f32x4.add(eight[0], eight[1]));
  return f32.add(f32.add(f32x4.lane(four, 0), f32x4.lane(four, 2)), f32.add(f32x4.lane(four, 1), f32x4.lane(four, 3)));
}
