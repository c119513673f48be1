/** Elementary functions on vectors, rounded step by step as docs/numerics.md says. */
import { type Func, f32, f32x4, i32x4, type Local, type V128 } from './assembler.ts';
import { type ConstantOf, type Pair, pair, pairLocal, setPair } from './constants.ts';

const splat = (value: number): V128 => f32x4.splat(f32.const(value));

/** What the functions here need, loaded before the loops: see constants.ts. */
export const mathConstants = [
  ...(['expLeast', 'expMost', 'log2e', 'nearest', 'ln2High', 'ln2Low'] as const),
  ...(['exp0', 'exp1', 'exp2', 'exp3', 'exp4', 'exp5', 'one', 'half', 'zero'] as const),
] as const;

/**
 * e^x. Cephes' expf: x = n ln 2 + r, a polynomial in r, n added to the exponent; in instructions that the re-vectoriser knows. Adding
 * and subtracting 1.5 * 2^23 rounds to nearest even; the sum's low bits are the integer, which the shift by 23 moves into the
 * exponent.
 */
export function exp(f: Func, x: Pair, get: ConstantOf): Pair<Local<'v128'>> {
  const c = (name: (typeof mathConstants)[number], h: 0 | 1) => get(name)[h];
  const [clamped, shifted, n, r, p] = Array.from({ length: 5 }, () => pairLocal(f));
  const set = (target: Pair<Local<'v128'>>, value: (h: 0 | 1) => V128) => setPair(f, target, pair(value));
  set(clamped, h => f32x4.pmin(f32x4.pmax(x[h], c('expLeast', h)), c('expMost', h)));
  set(shifted, h => f32x4.add(f32x4.mul(clamped[h], c('log2e', h)), c('nearest', h)));
  set(n, h => f32x4.sub(shifted[h], c('nearest', h)));
  set(r, h => f32x4.sub(clamped[h], f32x4.mul(n[h], c('ln2High', h))));
  set(r, h => f32x4.sub(r[h], f32x4.mul(n[h], c('ln2Low', h))));
  set(p, h => c('exp0', h));
  for (const next of ['exp1', 'exp2', 'exp3', 'exp4', 'exp5'] as const)
    set(p, h => f32x4.add(f32x4.mul(p[h], r[h]), c(next, h)));
  set(p, h => f32x4.add(f32x4.add(f32x4.mul(p[h], f32x4.mul(r[h], r[h])), r[h]), c('one', h)));
  set(p, h => i32x4.add(p[h], i32x4.shl(shifted[h], 23)));
  return p;
}

/** tanh(x) = 1 - 2 / (exp(2x) + 1). */
export function tanh(f: Func, x: Pair, get: ConstantOf): Pair {
  const one = get('one');
  const doubled = pair(h => f32x4.mul(splat(2), x[h]));
  const e = exp(f, doubled, get);
  return pair(h => f32x4.sub(one[h], f32x4.div(splat(2), f32x4.add(e[h], one[h]))));
}

/** 1 + exp(-x) */
function onePlusExp(f: Func, x: Pair, get: ConstantOf): Pair {
  const negative = pair(h => f32x4.sub(get('zero')[h], x[h]));
  const e = exp(f, negative, get);
  return pair(h => f32x4.add(get('one')[h], e[h]));
}

/** x / (1 + exp(-x)). arXiv:1702.03118. */
export function silu(f: Func, x: Pair, get: ConstantOf): Pair {
  const divisor = onePlusExp(f, x, get);
  return pair(h => f32x4.div(x[h], divisor[h]));
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(f: Func, x: Pair, get: ConstantOf): Pair {
  const divisor = onePlusExp(f, x, get);
  return pair(h => f32x4.div(get('one')[h], divisor[h]));
}

/** max(x, 0)². arXiv:2109.08668 */
export function relu2(_: Func, x: Pair, get: ConstantOf): Pair {
  const positive = pair(h => f32x4.max(x[h], get('zero')[h]));
  return pair(h => f32x4.mul(positive[h], positive[h]));
}

/** ln(1 + e^x), as max(x, 0) + ln(1 + e^-|x|). */
export function softplus(f: Func, x: Pair, get: ConstantOf): Pair<Local<'v128'>> {
  const negative = pair(h => f32x4.sub(get('zero')[h], f32x4.abs(x[h])));
  const y = exp(f, negative, get);
  const [s, square, p] = [pairLocal(f), pairLocal(f), pairLocal(f)];
  const set = (target: Pair<Local<'v128'>>, value: (h: 0 | 1) => V128) => setPair(f, target, pair(value));
  set(s, h => f32x4.div(y[h], f32x4.add(splat(2), y[h])));
  set(square, h => f32x4.mul(s[h], s[h]));
  set(p, () => splat(1 / 15));
  for (const n of [13, 11, 9, 7, 5, 3]) set(p, h => f32x4.add(f32x4.mul(p[h], square[h]), splat(1 / n)));
  set(p, h => f32x4.mul(splat(2), f32x4.add(s[h], f32x4.mul(s[h], f32x4.mul(square[h], p[h])))));
  set(p, h => f32x4.add(f32x4.max(x[h], get('zero')[h]), p[h]));
  return p;
}

/** What gpt-oss's gate clamps to. */
const limit = 7;

/** x / (1 + exp(-1.702 x)), where x is at most the limit. */
export function swigluOai(f: Func, x: Pair, get: ConstantOf): Pair {
  const clamped = pairLocal(f);
  setPair(
    f,
    clamped,
    pair(h => f32x4.min(x[h], splat(limit))),
  );
  const negative = pair(h => f32x4.mul(splat(1.702), f32x4.neg(clamped[h])));
  const e = exp(f, negative, get);
  return pair(h => f32x4.div(clamped[h], f32x4.add(get('one')[h], e[h])));
}

/** What it multiplies: within the limit, plus one. */
export const clampedPlusOne = (up: Pair): Pair =>
  pair(h => f32x4.add(f32x4.min(f32x4.max(up[h], splat(-limit)), splat(limit)), splat(1)));

/** The tanh approximation of GELU. arXiv:1606.08415. */
export function gelu(f: Func, x: Pair, get: ConstantOf): Pair {
  const cube = pair(h => f32x4.mul(f32x4.mul(x[h], x[h]), x[h]));
  const inner = pair(h => f32x4.mul(splat(0.79788456), f32x4.add(x[h], f32x4.mul(splat(0.044715), cube[h]))));
  const t = pairLocal(f);
  setPair(f, t, tanh(f, inner, get));
  return pair(h => f32x4.mul(f32x4.mul(get('half')[h], x[h]), f32x4.add(get('one')[h], t[h])));
}

/** The largest of the four lanes. */
export const lanesMax = (v: Local<'v128'>) =>
  f32.max(f32.max(f32x4.lane(v, 0), f32x4.lane(v, 1)), f32.max(f32x4.lane(v, 2), f32x4.lane(v, 3)));
