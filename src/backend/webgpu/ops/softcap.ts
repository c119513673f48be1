/** x = cap * tanh(x / cap). */
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf, softcaps } from '../math.ts';

const kernel = defineKernel({
  name: 'softcap',
  params: { x: 'u32', stride: 'u32', columns: 'u32', cap: 'f32', inverse: 'f32' },
  work: 'f32',
  workgroup: 64,
  declarations: exactArithmetic() + mathOf(1) + softcaps,
  main: `
  let column = group.x * 64 + lane;
  if (column >= p.columns) { return; }
  let at = p.x + group.y * p.stride + column;
  work[at] = softcaps(work[at], p.cap, p.inverse);`,
});

export function softcap({ recorder }: Context, x: GpuWorkBuffer, cap: number, rows: number): void {
  const { at, stride, columns } = x;
  const inverse = Math.fround(1 / Math.fround(cap));
  recorder.record(kernel, [Math.ceil(columns / 64), rows], { x: at, stride, columns, cap, inverse });
}
