/** Causal depthwise convolution: an invocation is a column of a row. The last row of a segment's writes the state that follows. */
import type { ConvolutionOptions } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuVector, GpuWorkBuffer, StateLayer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { none, rowWords } from '../segment-words.ts';
import { activations } from './activation.ts';

const convolution = defineKernel({
  name: 'convolve',
  params: {
    /** Where the words of rows are, see segment-words.ts. */
    rows: 'u32',
    ...{ x: 'u32', xStride: 'u32', out: 'u32', outStride: 'u32', columns: 'u32' },
    ...{ kernel: 'u32', taps: 'u32', bias: 'u32', biased: 'u32', activated: 'u32' },
    /** Values of a slot, and those before the convolution's. */
    ...{ stateSize: 'u32', at: 'u32' },
  },
  work: 'f32',
  bindings: [{ name: 'states', type: 'array<f32>', access: 'read_write' }],
  workgroup: 64,
  declarations: `${exactArithmetic()}${activations}
// What is so many rows before a row, the number-th of its segment's.
fn before(back: u32, row: u32, number: u32, slot: u32, column: u32) -> f32 {
  if (back <= number) { return work[p.x + (row - back) * p.xStride + column]; }
  if (slot == ${none}) { return 0; }
  return states[slot * p.stateSize + p.at + (p.taps - 1 + number - back) * p.columns + column];
}`,
  main: `
  let column = group.x * 64 + lane;
  let row = group.y;
  let number = tables[p.rows + row * ${rowWords}];
  let slot = tables[p.rows + row * ${rowWords} + 1];
  let next = tables[p.rows + row * ${rowWords} + 2];
  if (column >= p.columns) { return; }
  var sum = 0.0;
  if (p.biased != 0) { sum = work[p.bias + column]; }
  for (var tap = 0u; tap < p.taps; tap++) {
    sum += product(work[p.kernel + tap * p.columns + column], before(p.taps - 1 - tap, row, number, slot, column));
  }
  if (p.activated != 0) { sum = silu(sum); }
  work[p.out + row * p.outStride + column] = sum;
  if (next == ${none}) { return; }
  for (var tap = 1u; tap < p.taps; tap++) {
    let to = next * p.stateSize + p.at + (tap - 1) * p.columns + column;
    states[to] = before(p.taps - 1 - tap, row, number, slot, column);
  }`,
});

export interface GpuConvolution extends Omit<ConvolutionOptions, 'bias'> {
  readonly bias?: GpuVector | undefined;
}

/** `rows`: the step's words of rows. */
export function convolve(
  { recorder }: Context,
  out: GpuWorkBuffer,
  x: GpuWorkBuffer,
  kernel: GpuVector,
  { stateSize, buffer }: StateLayer,
  rows: Uint32Array,
  { taps, bias, activation, at = 0 }: GpuConvolution,
): void {
  const { columns } = x;
  const values = {
    ...{ rows: recorder.table(rows), x: x.at, xStride: x.stride, out: out.at, outStride: out.stride, columns },
    ...{ kernel: kernel.at, taps, bias: bias?.at ?? 0, biased: bias ? 1 : 0, activated: activation ? 1 : 0 },
    ...{ stateSize, at },
  };
  recorder.record(convolution, [Math.ceil(columns / 64), rows.length / rowWords], values, [buffer]);
}
