/** out = ((c * r) * weight) + bias, c = x - mean, r = 1 / sqrt(mean of c's squares + epsilon). */
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import { foldedSum, foldedSumVariables } from '../folded-sum.ts';
import type { GpuVector, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { inverseRms } from './rms-norm.ts';

const lanes = 256;

const kernel = defineKernel({
  name: 'layerNorm',
  params: {
    ...{ out: 'u32', outStride: 'u32', x: 'u32', xStride: 'u32' },
    ...{ weight: 'u32', bias: 'u32', columns: 'u32', epsilon: 'f32' },
  },
  work: 'f32',
  workgroup: lanes,
  declarations: exactArithmetic() + foldedSumVariables + foldedSum('sum', lanes, 'x') + inverseRms(lanes),
  main: `
  let x = p.x + group.x * p.xStride;
  let out = p.out + group.x * p.outStride;
  let mean = divide(sum(x, p.columns, lane, 0.0), f32(p.columns));
  let r = inverseRms(x, p.columns, mean, p.epsilon, lane);
  for (var i = lane; i < p.columns; i += ${lanes}) {
    work[out + i] = product((work[x + i] - mean) * r, work[p.weight + i]) + work[p.bias + i];
  }`,
});

export function layerNorm(
  { recorder }: Context,
  out: GpuWorkBuffer,
  x: GpuWorkBuffer,
  weight: GpuVector,
  bias: GpuVector,
  epsilon: number,
  rows: number,
): void {
  recorder.record(kernel, [rows], {
    ...{ out: out.at, outStride: out.stride, x: x.at, xStride: x.stride },
    ...{ weight: weight.at, bias: bias.at, columns: weight.length, epsilon },
  });
}
