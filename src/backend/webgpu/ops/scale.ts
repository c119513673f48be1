/** x *= factor. */
import type { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

const kernel = defineKernel({
  name: 'scale',
  params: { x: 'u32', stride: 'u32', columns: 'u32', factor: 'f32' },
  work: 'f32',
  workgroup: 64,
  main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let at = p.x + group.y * p.stride + column;
  work[at] = work[at] * p.factor;`,
});

export function scale({ recorder }: Context, x: GpuWorkBuffer, factor: number, rows: number): void {
  const { at, stride, columns } = x;
  recorder.record(kernel, [Math.ceil(columns / 64), rows], { x: at, stride, columns, factor });
}
