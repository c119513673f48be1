/**
 * Attention over a paged cache. A page holds 32 positions of one key-value head: keys as [headDim][32] and values as
 * [32][headDim], so that scores have positions as lanes and the output has dimensions as lanes: no horizontal sums.
 * They are F16; or int8 with an f32 scale for 32 dimensions of a position, keys' scales [headDim / 32][32] behind the keys,
 * values' scales [32][headDim / 32] behind the values (Q8_0). Softmax runs online over the pages (arXiv:2205.14135), pages ascending, and one kernel call serves up
 * to four query heads of one token that share the key-value head: each key and value is read once for all of them.
 */
import { Func, f32, f32x4, type I32, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { constant, type Pair, pair, pairLocal, positionsAddress, setPair } from './constants.ts';
import { exp, tanh } from './math.ts';
import { storePair } from './product.ts';

export type CacheType = 'F16' | 'Q8_0';
export const cacheTypes: readonly CacheType[] = ['F16', 'Q8_0'];

/** Bytes of a page's keys (or values) of one head. */
export const headBytes = (type: CacheType, headDim: number): number => headDim * (type === 'F16' ? 64 : 36);

export const attentionName = (type: CacheType, queries: number): string => `attention_${type}x${queries}`;

/** Most query heads of one call. */
export const maxQueries = 4;

export const attentionParams = {
  /** First query head; the others follow, headDim apart. */
  q: 'i32',
  out: 'i32',
  headDim: 'i32',
  /** Block table: i32 page numbers of the sequence. */
  pages: 'i32',
  /** Keys of page 0. */
  base: 'i32',
  /** Bytes between pages. */
  pageBytes: 'i32',
  /** Bytes from a page's keys to its values. */
  valuesAt: 'i32',
  /** Visible positions: from..to-1. */
  from: 'i32',
  to: 'i32',
  scale: 'f32',
  /** Softcap, or 0. */
  cap: 'f32',
  /** This thread's scratch: 4 * (headDim + 32) * queries bytes. */
  scratch: 'i32',
} as const;

type AttentionFunc = Func<typeof attentionParams>;

/** What one call keeps for each query. */
interface State {
  readonly max: Local<'f32'>[];
  readonly total: Local<'f32'>[];
  readonly decay: Local<'f32'>[];
}

/** Scores of a page, [queries][32] f32, lie after the scaled queries, [headDim][queries]. */
interface Page {
  readonly keys: Local<'i32'>;
  readonly values: Local<'i32'>;
  readonly scores: Local<'i32'>;
  /** Visible positions in the page: low..high-1. */
  readonly low: Local<'i32'>;
  readonly high: Local<'i32'>;
}

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
  const cache = type === 'F16' ? f16Cache(f) : q8Cache(f);
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

const positive = (value: ReturnType<typeof i32.sub>) => i32.mul(value, i32.gtS(value, i32.const(0)));
const atMost32 = (value: ReturnType<typeof i32.sub>) => i32.sub(i32.const(32), positive(i32.sub(i32.const(32), value)));

/** How a cache's numbers become f32. */
interface Cache {
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

/** F16 without hardware for it: the bits in f32's place, 2^112 too small (see constants.ts). */
function f16Cache(f: AttentionFunc): Cache {
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

/** Eight int8 as f32. */
function bytePair(f: AttentionFunc, at: Local<'i32'>, offset: number, into: Local<'v128'>): Pair {
  f.set(into, v128.load8x8s(at, offset));
  return [f32x4.convert(i32x4.extendLowS(into)), f32x4.convert(i32x4.extendHighS(into))];
}

/** int8 times the scale of its position and its 32 dimensions. */
function q8Cache(f: AttentionFunc): Cache {
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

/** scratch[d][query] = q[query][d] * scale, times what the keys lack. */
function scaleQueries(f: AttentionFunc, queries: number, cache: Cache): void {
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

/** Four f16 of each half at `offset`, as f32 times 2^-112. */
const halfPair = (at: Local<'i32'>, offset: number, mask: Pair): Pair =>
  pair(h => v128.and(i32x4.shl(v128.load16x4s(at, offset + 8 * h), 13), mask[h]));

/** scores[query][position] = Σ q[d] * key[d][position], sixteen positions at a time. */
function scores(f: AttentionFunc, queries: number, page: Page, cache: Cache): void {
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

/** Scores to weights: exp(score - max), 0 where not visible; the running maximum and sum follow. */
function softmax(f: AttentionFunc, queries: number, page: Page, state: State, cache: Cache): void {
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

const lanesMax = (v: Local<'v128'>) =>
  f32.max(f32.max(f32x4.lane(v, 0), f32x4.lane(v, 1)), f32.max(f32x4.lane(v, 2), f32x4.lane(v, 3)));

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

/** out[query][d] = out * decay + Σ weight[position] * value[position][d]. */
function weigh(f: AttentionFunc, queries: number, page: Page, state: State, cache: Cache): void {
  const { out, headDim } = f.params;
  const sums = Array.from({ length: queries }, () => pairLocal(f));
  const values = pairLocal(f);
  const [row, value, weight, factor] = [f.local('i32', out), f.local('i32'), f.local('i32'), f.local('v128')];
  const column = f.local('i32', page.values);
  const step = f.local('i32', cache.rowBytes(headDim));
  const target = f.local('i32');
  const eachRow = (body: (i: number) => void) => {
    f.set(target, row);
    for (let i = 0; i < queries; i++) {
      body(i);
      f.advance(target, i32.shl(headDim, i32.const(2)));
    }
  };
  f.for(i32.shrU(headDim, i32.const(3)), () => {
    eachRow(i =>
      // The first page overwrites whatever stood there, NaN included.
      f.if(
        f32.lt(f32.const(0), state.decay[i]),
        () =>
          setPair(
            f,
            sums[i],
            pair(h => f32x4.mul(v128.load(target, 16 * h), f32x4.splat(state.decay[i]))),
          ),
        () =>
          setPair(
            f,
            sums[i],
            pair((): V128 => v128.const(new Uint8Array(16))),
          ),
      ),
    );
    f.set(value, i32.add(column, i32.mul(page.low, step)));
    f.set(weight, i32.add(page.scores, i32.shl(page.low, i32.const(2))));
    cache.startColumn(page, column);
    f.for(i32.sub(page.high, page.low), () => {
      setPair(f, values, cache.values(value));
      sums.forEach((sum, i) => {
        f.set(factor, v128.splat32(weight, 128 * i));
        setPair(
          f,
          sum,
          pair(h => f32x4.add(sum[h], f32x4.mul(factor, values[h]))),
        );
      });
      f.advance(value, step);
      cache.nextPosition();
      f.advance(weight, 4);
    });
    eachRow(i => storePair(f, target, sums[i]));
    f.advance(row, 32);
    f.advance(column, cache.columnBytes);
  });
}

function normalise(f: AttentionFunc, state: State): void {
  const { out, headDim } = f.params;
  for (const total of state.total) {
    const inverse = f.local('f32', f32.div(f32.const(1), total));
    f.for(i32.shrU(headDim, i32.const(3)), () => {
      storePair(
        f,
        out,
        pair(h => f32x4.mul(v128.load(out, 16 * h), f32x4.splat(inverse))),
      );
      f.advance(out, 32);
    });
  }
}

/** Writes one token's keys and values, [heads][headDim] f32, into its pages as F16; heads' pages follow each other. */
export function storeKv() {
  const params = {
    k: 'i32',
    v: 'i32',
    keys: 'i32',
    values: 'i32',
    heads: 'i32',
    headDim: 'i32',
    headBytes: 'i32',
  } as const;
  const f = new Func('store_kv', params);
  const { k, v, keys, values, heads, headDim, headBytes } = f.params;
  const half = f.local('v128');
  const [key, value] = [f.local('i32'), f.local('i32')];
  f.for(heads, () => {
    f.set(key, keys);
    f.set(value, values);
    f.for(i32.shrU(headDim, i32.const(2)), () => {
      f.set(half, toHalf(f, v128.load(k)));
      for (let i = 0; i < 4; i++) f.store16(key, i32x4.lane(half, i), 64 * i);
      f.set(half, toHalf(f, v128.load(v)));
      f.store64(value, i16x8.narrowU(half, half));
      f.advance(k, 16);
      f.advance(v, 16);
      f.advance(key, 256);
      f.advance(value, 8);
    });
    f.advance(keys, headBytes);
    f.advance(values, headBytes);
  });
  return f;
}

/** Writes one token's keys and values into slot `slot` of its pages as int8 with a scale for 32 of them. */
export function storeKvBytes() {
  const params = {
    k: 'i32',
    v: 'i32',
    keys: 'i32',
    values: 'i32',
    slot: 'i32',
    heads: 'i32',
    headDim: 'i32',
    headBytes: 'i32',
  } as const;
  const f = new Func('store_kv_q8', params);
  const { k, v, keys, values, slot, heads, headDim, headBytes } = f.params;
  const [key, value] = [f.local('i32'), f.local('i32')];
  const [keyScale, valueScale] = [f.local('i32'), f.local('i32')];
  const bytes = [f.local('v128'), f.local('v128')] as const;
  const blocks = f.local('i32', i32.shrU(headDim, i32.const(5)));
  const words = i32.shl(headDim, i32.const(5));
  f.for(heads, () => {
    f.set(key, i32.add(keys, slot));
    f.set(value, i32.add(values, i32.mul(slot, headDim)));
    f.set(keyScale, i32.add(i32.add(keys, words), i32.shl(slot, i32.const(2))));
    f.set(valueScale, i32.add(i32.add(values, words), i32.shl(i32.mul(slot, blocks), i32.const(2))));
    f.for(blocks, () => {
      quantise(f, k, keyScale, bytes);
      for (let i = 0; i < 32; i++) f.store8(key, i8x16.lane(bytes[i >> 4], i & 15), 32 * i);
      quantise(f, v, valueScale, bytes);
      for (const half of [0, 1] as const) f.store(value, bytes[half], 16 * half);
      f.advance(k, 128);
      f.advance(v, 128);
      f.advance(key, 1024);
      f.advance(value, 32);
      f.advance(keyScale, 128);
      f.advance(valueScale, 4);
    });
    f.advance(keys, headBytes);
    f.advance(values, headBytes);
  });
  return f;
}

/** 32 floats at `x` as int8; their scale, the largest magnitude / 127, goes to `scaleAt`. */
function quantise(
  f: Func<Record<string, 'i32'>>,
  x: Local<'i32'>,
  scaleAt: Local<'i32'>,
  into: readonly [Local<'v128'>, Local<'v128'>],
): void {
  const loads = Array.from({ length: 8 }, (_, i) => v128.load(x, 16 * i));
  const largest = f.local(
    'v128',
    loads.map(load => f32x4.abs(load)).reduce((a, b) => f32x4.max(a, b)),
  );
  const d = f.local('f32', f32.div(lanesMax(largest), f32.const(127)));
  const inverse = f.local('f32', f32.select(f32.const(0), f32.div(f32.const(1), d), f32.lt(d, f32.const(1e-30))));
  f.storeF32(scaleAt, d);
  const q = loads.map(load => i32x4.truncate(f32x4.nearest(f32x4.mul(load, f32x4.splat(inverse)))));
  for (const half of [0, 1] as const) {
    const [a, b, c, e] = q.slice(4 * half, 4 * half + 4);
    f.set(into[half], i8x16.narrow(i16x8.narrow(a, b), i16x8.narrow(c, e)));
  }
}

/** Four f32 to the bits of four f16, nearest even, clamped to the finite range. */
function toHalf(f: Func<Record<string, 'i32'>>, x: V128): V128 {
  const word = (value: number) => i32x4.splat(i32.const(value));
  const bound = (value: number) => f32x4.splat(f32.const(value));
  const clamped = f.local('v128', f32x4.min(f32x4.max(x, bound(-65504)), bound(65504)));
  const magnitude = f.local('v128', f32x4.abs(clamped));
  const sign = v128.and(i32x4.shrU(clamped, 16), word(0x8000));
  // Normal: round the 13 bits that go, to even, and rebias the exponent.
  const odd = v128.and(i32x4.shrU(magnitude, 13), word(1));
  const rounded = i32x4.add(i32x4.add(magnitude, word(0xfff)), odd);
  const normal = i32x4.sub(i32x4.shrU(rounded, 13), word(112 << 10));
  // Below 2^-14: adding 0.5 leaves the f16's mantissa in the low bits, rounded by the adder.
  const small = i32x4.sub(f32x4.add(magnitude, bound(0.5)), word(0x3f000000));
  return v128.or(sign, v128.bitselect(small, normal, f32x4.lt(magnitude, bound(2 ** -14))));
}
