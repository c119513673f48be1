const f = Math.fround;
const LANES = 16;

/**
 * Sum of `term(x[i])` in 16 interleaved partial sums that are folded in halves: an order that vectors of 4, 8 or 16
 * lanes can all follow.
 */
export function foldedSum(x: Float32Array, term: (value: number) => number): number {
  const partial = new Float32Array(LANES);
  for (let i = 0; i < x.length; i++) partial[i % LANES] = f(partial[i % LANES] + term(x[i]));
  for (let half = LANES / 2; half >= 1; half /= 2) {
    for (let j = 0; j < half; j++) partial[j] = f(partial[j] + partial[j + half]);
  }
  return partial[0];
}

/** 1 / sqrt(mean of squares + epsilon) */
function inverseRms(x: Float32Array, epsilon: number): number {
  const meanSquare = f(foldedSum(x, value => f(value * value)) / x.length);
  return f(1 / f(Math.sqrt(f(meanSquare + f(epsilon)))));
}

/** out = x / rms(x) * weight; out may be x. arXiv:1910.07467 */
export function rmsNorm(out: Float32Array, x: Float32Array, weight: Float32Array, epsilon: number): void {
  const r = inverseRms(x, epsilon);
  for (let i = 0; i < x.length; i++) out[i] = f(f(x[i] * r) * weight[i]);
}

/** out = (x - mean) / deviation * weight + bias; out may be x. arXiv:1607.06450 */
export function layerNorm(
  out: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  epsilon: number,
): void {
  const mean = f(foldedSum(x, value => value) / x.length);
  const centred = x.map(value => f(value - mean));
  const r = inverseRms(centred, epsilon);
  for (let i = 0; i < x.length; i++) out[i] = f(f(f(centred[i] * r) * weight[i]) + bias[i]);
}
