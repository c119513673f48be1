/** out += x. */
import type { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

const kernel = defineKernel({
  name: 'add',
  params: { out: 'u32', outStride: 'u32', x: 'u32', xStride: 'u32', columns: 'u32' },
  work: 'f32',
  workgroup: 64,
  main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let at = p.out + group.y * p.outStride + column;
  work[at] = work[at] + work[p.x + group.y * p.xStride + column];`,
});

export function add({ recorder }: Context, out: GpuWorkBuffer, x: GpuWorkBuffer, rows: number): void {
  const { columns } = out;
  const params = { out: out.at, outStride: out.stride, x: x.at, xStride: x.stride, columns };
  recorder.record(kernel, [Math.ceil(columns / 64), rows], params);
}
