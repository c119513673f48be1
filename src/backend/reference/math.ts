/**
 * Scalar functions of the numerics that every backend shares (docs/numerics.md): each step is one f32 operation,
 * rounded on its own, so that a kernel that does the same steps gives the same bits.
 */
const f = Math.fround;

const LOG2E = f(Math.LOG2E);
/** ln 2 in two parts; the first has few bits, so that n * LN2_HIGH is exact. */
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-2.1219444e-4);
const EXP_POLYNOMIAL = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
].map(f);
const ROUND_MAGIC = 1.5 * 2 ** 23;
const SQRT_2_OVER_PI = f(0.79788456);
const GELU_CUBIC = f(0.044715);
const F16_MAX = 65504;

/** The nearest integer, halves to the even one; |x| < 2^22. */
export function nearestEven(x: number): number {
  return f(f(x + ROUND_MAGIC) - ROUND_MAGIC);
}

/** e^x for f32 x, clamped to [-87, 88]; Cephes' polynomial, about 1 ulp. */
export function expf(x: number): number {
  const clamped = Math.min(Math.max(x, -87), 88);
  const n = nearestEven(f(clamped * LOG2E));
  const r = f(f(clamped - f(n * LN2_HIGH)) - f(n * LN2_LOW));
  let p = EXP_POLYNOMIAL[0];
  for (let i = 1; i < EXP_POLYNOMIAL.length; i++) p = f(f(p * r) + EXP_POLYNOMIAL[i]);
  const y = f(f(f(p * f(r * r)) + r) + 1);
  return y * 2 ** n;
}

export function tanhf(u: number): number {
  return f(1 - f(2 / f(expf(f(2 * u)) + 1)));
}

export function silu(x: number): number {
  return f(x / f(1 + expf(-x)));
}

export function sigmoid(x: number): number {
  return f(1 / f(1 + expf(-x)));
}

/** 1/3, 1/5 .. 1/15: the series of atanh. */
const ATANH_POLYNOMIAL = [15, 13, 11, 9, 7, 5, 3].map(n => f(1 / n));

/** ln(1 + y) for y in [0, 1], as 2 atanh(y / (2 + y)); about 1 ulp. */
export function log1pf(y: number): number {
  const s = f(y / f(2 + y));
  const square = f(s * s);
  let p = ATANH_POLYNOMIAL[0];
  for (let i = 1; i < ATANH_POLYNOMIAL.length; i++) p = f(f(p * square) + ATANH_POLYNOMIAL[i]);
  return f(2 * f(s + f(s * f(square * p))));
}

/** ln(1 + e^x) */
export function softplus(x: number): number {
  return f(Math.max(x, 0) + log1pf(expf(-Math.abs(x))));
}

/** The tanh approximation of GELU, arXiv:1606.08415. */
export function gelu(x: number): number {
  const inner = f(x + f(GELU_CUBIC * f(f(x * x) * x)));
  return f(f(0.5 * x) * f(1 + tanhf(f(SQRT_2_OVER_PI * inner))));
}

/** arXiv:2109.08668 */
export function relu2(x: number): number {
  const positive = Math.max(x, 0);
  return f(positive * positive);
}

/** How steep gpt-oss's gate is, and what its inputs are clamped to. */
const SWIGLU_ALPHA = f(1.702);
const SWIGLU_LIMIT = 7;

/** x / (1 + exp(-alpha x)) * (y + 1), with x = gate up to the limit and y = up within it. */
export function swigluOai(gate: number, up: number): number {
  const x = Math.min(gate, SWIGLU_LIMIT);
  const y = Math.min(Math.max(up, -SWIGLU_LIMIT), SWIGLU_LIMIT);
  return f(f(x / f(1 + expf(f(SWIGLU_ALPHA * -x)))) * f(y + 1));
}

/** cap * tanh(x / cap); `inverse` is f32(1 / cap). */
export function softcap(x: number, cap: number, inverse: number): number {
  return f(f(cap) * tanhf(f(x * inverse)));
}

/** x within the finite range of F16; storing it into a Float16Array then rounds to nearest even. */
export function clampF16(x: number): number {
  return Math.min(Math.max(x, -F16_MAX), F16_MAX);
}
