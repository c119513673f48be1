/** Splits of the positions: each is summed on its own, then combined with those before it. */
import { f32, f32x4, i32, type Local, v128 } from '../assembler.ts';
import { constant, constants, pair, pairLocal, setPair, storePair } from '../constants.ts';
import { exp, mathConstants } from '../math.ts';
import { type AttentionFunc, addedAt, keptAt, maxAt, queriesAt, totalAt, wholeMaxAt, wholeTotalAt } from './frame.ts';

/**
 * Runs `split` until `start`, which it advances, has reached the last visible position. It leaves its largest score and
 * sum of weights in the scratch, and its weighted values at `into`: the first split's are the output.
 */
export function eachSplit(
  f: AttentionFunc,
  queries: number,
  start: Local<'i32'>,
  split: (into: Local<'i32'>) => void,
): void {
  const { out, headDim, scratch, to } = f.params;
  const into = f.local('i32', out);
  f.doWhile(
    () => {
      split(into);
      f.if(
        i32.eq(into, out),
        () => keep(f),
        () => combine(f, queries, into),
      );
      f.set(into, i32.add(scratch, i32.mul(headDim, i32.const(4 * queries))));
      f.advance(into, queriesAt);
    },
    () => i32.ltU(start, to),
  );
}

/** The first split is taken as it is. */
function keep(f: AttentionFunc): void {
  const { scratch } = f.params;
  for (const [from, to] of [
    [maxAt, wholeMaxAt],
    [totalAt, wholeTotalAt],
  ] as const) {
    const eight = pair(h => v128.load(scratch, from + 16 * h));
    storePair(f, scratch, eight, to);
  }
}

/** Everything = everything * exp(its maximum - the new one) + the split * exp(its maximum - the new one). */
function combine(f: AttentionFunc, queries: number, part: Local<'i32'>): void {
  weigh(f);
  combineValues(f, queries, part);
}

/** The largest score and the sum of weights of everything and of the split, and what is kept of the one and added of the other. */
function weigh(f: AttentionFunc): void {
  const { scratch } = f.params;
  const get = constants(f, mathConstants);
  const eight = (at: number) => pair(h => v128.load(scratch, at + 16 * h));
  const max = pairLocal(f);
  const [before, split] = [eight(wholeMaxAt), eight(maxAt)];
  setPair(
    f,
    max,
    pair(h => f32x4.pmax(before[h], split[h])),
  );
  for (const [from, to] of [
    [before, keptAt],
    [split, addedAt],
  ] as const) {
    const difference = pair(h => f32x4.sub(from[h], max[h]));
    storePair(f, scratch, exp(f, difference, get), to);
  }
  const [total, added] = [eight(wholeTotalAt), eight(totalAt)];
  const [kept, share] = [eight(keptAt), eight(addedAt)];
  const sum = pair(h => f32x4.add(f32x4.mul(total[h], kept[h]), f32x4.mul(added[h], share[h])));
  storePair(f, scratch, sum, wholeTotalAt);
  storePair(f, scratch, max, wholeMaxAt);
}

/** Sinks are a last split, of one weight for each query and no values; what is kept of the values is left in the scratch. */
export function addSinks(f: AttentionFunc, queries: number): void {
  const { scratch, sinks } = f.params;
  f.if(
    sinks,
    () => {
      for (let i = 0; i < queries; i++) f.storeF32(scratch, f32.load(sinks, 4 * i), maxAt + 4 * i);
      storePair(f, scratch, constant(f, 'one'), totalAt);
      weigh(f);
    },
    () => storePair(f, scratch, constant(f, 'one'), keptAt),
  );
}

function combineValues(f: AttentionFunc, queries: number, part: Local<'i32'>): void {
  const { out, valueDim, scratch } = f.params;
  const [at, from, query] = [f.local('i32', out), f.local('i32', part), f.local('i32', scratch)];
  const [kept, share] = [f.local('v128'), f.local('v128')];
  f.for(i32.const(queries), () => {
    f.set(kept, v128.splat32(query, keptAt));
    f.set(share, v128.splat32(query, addedAt));
    f.for(i32.shrU(valueDim, i32.const(3)), () => {
      const sum = pair(h =>
        f32x4.add(f32x4.mul(v128.load(at, 16 * h), kept), f32x4.mul(v128.load(from, 16 * h), share)),
      );
      storePair(f, at, sum);
      f.advance(at, 32);
      f.advance(from, 32);
    });
    f.advance(query, 4);
  });
}
