/** What layers with a state of fixed size compute: docs/numerics.md, "States". */
import type { DeltaShape } from '../backend.ts';
import { expf, sigmoid, silu, softplus } from './math.ts';
import { foldedSum } from './norm.ts';

const f = Math.fround;

/**
 * One token of a causal depthwise convolution. `window` holds what lies before it, [taps - 1, columns], the oldest first; behind it
 * the token is the last there.
 */
export function convolve(
  out: Float32Array,
  x: Float32Array,
  window: Float32Array,
  {
    kernel,
    bias,
    activation,
  }: { kernel: Float32Array; bias?: Float32Array | undefined; activation?: 'silu' | undefined },
): void {
  const columns = x.length;
  const taps = kernel.length / columns;
  for (let c = 0; c < columns; c++) {
    let sum = bias ? bias[c] : 0;
    for (let i = 0; i < taps; i++) {
      const value = i === taps - 1 ? x[c] : window[i * columns + c];
      sum = f(sum + f(kernel[i * columns + c] * value));
    }
    out[c] = activation ? silu(sum) : sum;
  }
  window.copyWithin(0, columns);
  window.set(x, window.length - columns);
}

/** One head's part of a token. */
export interface DeltaToken {
  readonly q: Float32Array; // [keyDim]
  readonly k: Float32Array; // [keyDim]
  readonly v: Float32Array; // [valueDim]
  readonly alpha: number;
  readonly beta: number;
  readonly decay: number;
  readonly shift: number;
}

/** One token of the gated delta rule, in one head. state: [keyDim, valueDim]. arXiv:2412.06464 */
export function deltaRule(
  out: Float32Array,
  token: DeltaToken,
  state: Float32Array,
  { keyDim, valueDim, epsilon }: DeltaShape,
): void {
  const keep = expf(f(token.decay * softplus(f(token.alpha + token.shift))));
  const rate = sigmoid(token.beta);
  const k = unit(token.k, epsilon);
  const scale = f(1 / f(Math.sqrt(keyDim)));
  const q = unit(token.q, epsilon).map(value => f(value * scale));
  const row = (i: number) => state.subarray(i * valueDim, (i + 1) * valueDim);
  const known = new Float32Array(valueDim);
  for (let i = 0; i < keyDim; i++) {
    const values = row(i);
    for (let c = 0; c < valueDim; c++) known[c] = f(known[c] + f(values[c] * k[i]));
  }
  const change = known.map((value, c) => f(f(token.v[c] - f(value * keep)) * rate));
  out.fill(0);
  for (let i = 0; i < keyDim; i++) {
    const values = row(i);
    for (let c = 0; c < valueDim; c++) {
      values[c] = f(f(values[c] * keep) + f(k[i] * change[c]));
      out[c] = f(out[c] + f(values[c] * q[i]));
    }
  }
}

/** One head's part of a token in a state space layer, and what that head always has. */
export interface ScanToken {
  readonly x: Float32Array; // [headDim]
  readonly b: Float32Array; // [stateDim]
  readonly c: Float32Array; // [stateDim]
  readonly dt: number;
  readonly decay: number;
  readonly shift: number;
  readonly skip: number;
}

/** One token of Mamba-2's state space step, in one head. state: [stateDim, headDim]. arXiv:2405.21060 */
export function scan(out: Float32Array, token: ScanToken, state: Float32Array): void {
  const { x, b, c } = token;
  const rate = softplus(f(token.dt + token.shift));
  const keep = expf(f(token.decay * rate));
  const change = x.map(value => f(value * rate));
  out.fill(0);
  b.forEach((factor, n) => {
    const values = state.subarray(n * x.length, (n + 1) * x.length);
    for (let d = 0; d < x.length; d++) {
      values[d] = f(f(values[d] * keep) + f(factor * change[d]));
      out[d] = f(out[d] + f(values[d] * c[n]));
    }
  });
  for (let d = 0; d < x.length; d++) out[d] = f(out[d] + f(token.skip * x[d]));
}

/** x / sqrt(|x|² + epsilon) */
function unit(x: Float32Array, epsilon: number): Float32Array {
  const square = f(foldedSum(x, value => f(value * value)) + f(epsilon));
  const inverse = f(1 / f(Math.sqrt(square)));
  return x.map(value => f(value * inverse));
}
