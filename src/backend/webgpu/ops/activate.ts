/** x = activation(x). */
import { type Activation, everyActivation } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { activations } from './activation.ts';

const kernelOf = (kind: Activation) =>
  defineKernel({
    name: `activate ${kind}`,
    params: { x: 'u32', stride: 'u32', columns: 'u32' },
    work: 'f32',
    workgroup: 64,
    declarations: exactArithmetic() + activations,
    main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let at = p.x + group.y * p.stride + column;
  work[at] = ${kind}(work[at]);`,
  });

const kernels: ReadonlyMap<Activation, Kernel> = new Map(everyActivation.map(kind => [kind, kernelOf(kind)]));

export function activate({ recorder }: Context, x: GpuWorkBuffer, kind: Activation, rows: number): void {
  const { at, stride, columns } = x;
  recorder.record(kernels.get(kind)!, [Math.ceil(columns / 64), rows], { x: at, stride, columns });
}
