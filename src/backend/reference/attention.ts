import { type AttentionOptions, pageTokens, type Segment, splitTokens } from '../backend.ts';
import { expf, softcap } from './math.ts';

const f = Math.fround;

/** The keys and values of one key-value head at a position: headDim numbers, and latentDim where values are a part of keys. */
export interface KvHead {
  /** Whether values are the first dimensions of keys: they are summed in another order then. */
  readonly latent?: boolean | undefined;
  key(position: number): ArrayLike<number>;
  value(position: number): ArrayLike<number>;
}

/** Visible positions: from..to. */
interface Reach {
  readonly from: number;
  readonly to: number;
}

/** What token i of a segment sees. */
export function reachOf({ position, count }: Segment, i: number, { window, twoWay }: AttentionOptions): Reach {
  const [own, end] = [position + i, position + count - 1];
  if (!twoWay) return { from: Math.max(0, own - (window ?? own + 1) + 1), to: own };
  const half = window === undefined ? end : Math.floor(window / 2);
  return { from: Math.max(0, own - half), to: Math.min(end, own + half) };
}

/**
 * Attention of one query head over the positions it sees, a page at a time with online softmax (arXiv:2205.14135), in
 * splits that are combined. The order is fixed by positions alone: splits and their pages ascending, whatever chunk or
 * batch the query came in.
 * q: [headDim]; out: [headDim], or [latentDim]
 */
export function attend(
  out: Float32Array,
  q: Float32Array,
  { from, to }: Reach,
  kv: KvHead,
  { sink, ...options }: Omit<AttentionOptions, 'sinks'> & { readonly sink?: number | undefined },
): void {
  const scaled = q.map(value => f(value * f(options.scale)));
  const whole = newOnline(out);
  for (let start = border(from, splitTokens); start <= to; start += splitTokens) {
    const split = start <= from ? whole : newOnline(new Float32Array(out.length));
    const reach = { from: Math.max(from, start), to: Math.min(to, start + splitTokens - 1) };
    attendSplit(split, scaled, kv, reach, options.softcap);
    if (split !== whole) combine(whole, split);
  }
  const factor = sink === undefined ? f(1 / whole.total) : withSink(whole, sink);
  for (let d = 0; d < out.length; d++) out[d] = f(out[d] * factor);
}

/** What the sums are multiplied with where a score without a value takes its share of the softmax. */
function withSink({ max, total }: Online, sink: number): number {
  const most = Math.max(max, sink);
  const kept = expf(f(max - most));
  return f(kept / f(f(total * kept) + expf(f(sink - most))));
}

/** The last multiple of `size` up to `position`. */
const border = (position: number, size: number): number => Math.floor(position / size) * size;

/** Running maximum, running sum of exponentials and their weighted values. */
interface Online {
  max: number;
  total: number;
  readonly out: Float32Array;
}

const newOnline = (out: Float32Array): Online => ({ max: -Infinity, total: 0, out: out.fill(0) });

/** A page that starts at position `start`. */
interface Visible extends Reach {
  readonly start: number;
}

function attendSplit(state: Online, q: Float32Array, kv: KvHead, { from, to }: Reach, cap: number | undefined): void {
  for (let start = border(from, pageTokens); start <= to; start += pageTokens) {
    const page = { start, from: Math.max(from, start), to: Math.min(to, start + pageTokens - 1) };
    attendPage(state, q, kv, page, cap);
  }
}

/** Adds a split to those before it. */
function combine(whole: Online, split: Online): void {
  const max = Math.max(whole.max, split.max);
  const [a, b] = [expf(f(whole.max - max)), expf(f(split.max - max))];
  whole.max = max;
  whole.total = f(f(whole.total * a) + f(split.total * b));
  const { out } = whole;
  for (let d = 0; d < out.length; d++) out[d] = f(f(out[d] * a) + f(split.out[d] * b));
}

function attendPage(state: Online, q: Float32Array, kv: KvHead, page: Visible, cap: number | undefined): void {
  const scores = new Float32Array(pageTokens);
  let max = state.max;
  for (let p = page.from; p <= page.to; p++) {
    const score = scoreOf(q, kv.key(p), cap);
    scores[p - page.start] = score;
    max = Math.max(max, score);
  }
  const weights = new Float32Array(pageTokens);
  for (let p = page.from; p <= page.to; p++) weights[p - page.start] = expf(f(scores[p - page.start] - max));
  const decay = state.max === -Infinity ? 0 : expf(f(state.max - max));
  state.max = max;
  state.total = f(f(state.total * decay) + sumPage(weights));
  const { out } = state;
  for (let d = 0; d < out.length; d++) out[d] = f(out[d] * decay);
  if (kv.latent) return addLatents(out, kv, page, weights);
  for (let p = page.from; p <= page.to; p++) {
    const value = kv.value(p);
    const weight = weights[p - page.start];
    for (let d = 0; d < out.length; d++) out[d] = f(out[d] + f(weight * value[d]));
  }
}

/** Four sums over every fourth position of the page, then their halves. */
function addLatents(out: Float32Array, kv: KvHead, page: Visible, weights: Float32Array): void {
  const sums = Array.from({ length: 4 }, () => new Float32Array(out.length));
  for (let p = page.from; p <= page.to; p++) {
    const value = kv.value(p);
    const sum = sums[p % 4];
    for (let d = 0; d < out.length; d++) sum[d] = f(sum[d] + f(weights[p - page.start] * value[d]));
  }
  for (let d = 0; d < out.length; d++) out[d] = f(out[d] + f(f(sums[0][d] + sums[2][d]) + f(sums[1][d] + sums[3][d])));
}

function scoreOf(q: Float32Array, key: ArrayLike<number>, cap: number | undefined): number {
  let score = 0;
  for (let d = 0; d < q.length; d++) score = f(score + f(q[d] * key[d]));
  return cap === undefined ? score : softcap(score, cap, f(1 / f(cap)));
}

/** Sum of the 32 weights of a page: four rows of eight, then the eight in halves. */
function sumPage(p: Float32Array): number {
  const t = new Float32Array(8);
  for (let j = 0; j < 8; j++) t[j] = f(f(f(p[j] + p[j + 8]) + p[j + 16]) + p[j + 24]);
  for (const half of [4, 2, 1]) {
    for (let j = 0; j < half; j++) t[j] = f(t[j] + t[j + half]);
  }
  return t[0];
}
