/** out += Σ weight * slot, over the row's choices in their order. */
import type { Context } from '../context.ts';
import type { GpuRouting, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

const kernel = defineKernel({
  name: 'combine',
  params: {
    ...{ out: 'u32', outStride: 'u32', slots: 'u32', stride: 'u32', columns: 'u32' },
    ...{ topK: 'u32', slotOf: 'u32', weights: 'u32' },
  },
  workgroup: 64,
  main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let out = p.out + group.y * p.outStride + column;
  var sum = bitcast<f32>(work[out]);
  for (var choice = group.y * p.topK; choice < (group.y + 1) * p.topK; choice++) {
    let weight = bitcast<f32>(work[p.weights + choice]);
    sum = sum + product(weight, bitcast<f32>(work[p.slots + work[p.slotOf + choice] * p.stride + column]));
  }
  work[out] = bitcast<u32>(sum);`,
});

export function combine(
  { recorder }: Context,
  out: GpuWorkBuffer,
  slots: GpuWorkBuffer,
  { topK, slotOf, weights }: GpuRouting,
  rows: number,
): void {
  const { columns } = out;
  recorder.record(kernel, [Math.ceil(columns / 64), rows], {
    ...{ out: out.at, outStride: out.stride, slots: slots.at, stride: slots.stride, columns },
    ...{ topK, slotOf, weights },
  });
}
