/** out = activation(gate) * up. */
import type { Gate } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { activations, gatedBy } from './activation.ts';

const kernelOf = (kind: Gate) =>
  defineKernel({
    name: kind,
    params: {
      ...{ out: 'u32', outStride: 'u32', gate: 'u32', gateStride: 'u32', up: 'u32', upStride: 'u32', columns: 'u32' },
    },
    work: 'f32',
    workgroup: 64,
    declarations: exactArithmetic() + activations,
    main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let gate = work[p.gate + group.y * p.gateStride + column];
  work[p.out + group.y * p.outStride + column] = ${gatedBy(kind, 'gate', 'work[p.up + group.y * p.upStride + column]')};`,
  });

export const gateKernels = {
  silu: kernelOf('silu'),
  gelu: kernelOf('gelu'),
  sigmoid: kernelOf('sigmoid'),
  relu2: kernelOf('relu2'),
  linear: kernelOf('linear'),
  swiglu_oai: kernelOf('swiglu_oai'),
};

export function gate(
  { recorder }: Context,
  out: GpuWorkBuffer,
  gate: GpuWorkBuffer,
  up: GpuWorkBuffer,
  kind: Gate,
  rows: number,
): void {
  const { columns } = out;
  recorder.record(gateKernels[kind], [Math.ceil(columns / 64), rows], {
    ...{ out: out.at, outStride: out.stride, gate: gate.at, gateStride: gate.stride },
    ...{ up: up.at, upStride: up.stride, columns },
  });
}
