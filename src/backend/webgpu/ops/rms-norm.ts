/** out = (x * r) * weight over groups of as many columns as one of the weights has, r = 1 / sqrt(mean of squares + epsilon). */
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import { foldedSum, foldedSumVariables } from '../folded-sum.ts';
import type { GpuVector, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

/** `inverseRms(at, columns, shift, epsilon, lane)` of x - shift, for all lanes of a workgroup. */
export const inverseRms = (lanes: number): string => `
${foldedSum('sumOfSquares', lanes, 'product(x - shift, x - shift)')}
fn inverseRms(at: u32, columns: u32, shift: f32, epsilon: f32, lane: u32) -> f32 {
  return divide(1.0, root(divide(sumOfSquares(at, columns, lane, shift), f32(columns)) + epsilon));
}
`;

const places = { out: 'u32', outStride: 'u32', x: 'u32', xStride: 'u32' } as const;

const kernelOf = (lanes: number) =>
  defineKernel({
    name: `rmsNorm over ${lanes}`,
    params: { ...places, weight: 'u32', weights: 'u32', columns: 'u32', epsilon: 'f32' },
    work: 'f32',
    workgroup: lanes,
    declarations: exactArithmetic() + foldedSumVariables + inverseRms(lanes),
    main: `
  let x = p.x + group.y * p.xStride + group.x * p.columns;
  let out = p.out + group.y * p.outStride + group.x * p.columns;
  let weight = p.weight + group.x % p.weights * p.columns;
  let r = inverseRms(x, p.columns, 0.0, p.epsilon, lane);
  for (var i = lane; i < p.columns; i += ${lanes}) {
    work[out + i] = product(work[x + i], r) * work[weight + i];
  }`,
  });

/** Heads are narrow. */
export const [narrowNorm, wideNorm] = [kernelOf(64), kernelOf(256)];
export const normKernels = [narrowNorm, wideNorm];

export function rmsNorm(
  { recorder }: Context,
  out: GpuWorkBuffer,
  x: GpuWorkBuffer,
  weight: GpuVector,
  epsilon: number,
  rows: number,
  weights: number,
): void {
  const columns = weight.length / weights;
  recorder.record(columns <= 512 ? narrowNorm : wideNorm, [x.columns / columns, rows], {
    ...{ out: out.at, outStride: out.stride, x: x.at, xStride: x.stride },
    ...{ weight: weight.at, weights, columns, epsilon },
  });
}
