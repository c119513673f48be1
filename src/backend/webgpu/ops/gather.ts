/** out[i] = x[rows[i]]. */
import type { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

const kernel = defineKernel({
  name: 'gather',
  params: { out: 'u32', outStride: 'u32', x: 'u32', xStride: 'u32', columns: 'u32', rows: 'u32' },
  workgroup: 64,
  main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let row = tables[p.rows + group.y];
  work[p.out + group.y * p.outStride + column] = work[p.x + row * p.xStride + column];`,
});

export function gather({ recorder }: Context, out: GpuWorkBuffer, x: GpuWorkBuffer, rows: Int32Array): void {
  const { columns } = out;
  recorder.record(kernel, [Math.ceil(columns / 64), rows.length], {
    ...{ out: out.at, outStride: out.stride, x: x.at, xStride: x.stride },
    ...{ columns, rows: recorder.table(rows) },
  });
}
