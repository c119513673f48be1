/** Rows of a table of weights as floats, exactly as the format's decoder gives them. */
import type { QuantType } from '../../../quant/types.ts';
import type { Context } from '../context.ts';
import type { GpuMatrix, GpuTokens, GpuWorkBuffer } from '../handles.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { pieceColumns } from '../layout.ts';
import {
  bufferCode,
  type FloatType,
  floatCode,
  floatsOf,
  formOf,
  halfCode,
  isFloat,
  planeParams,
  weightCode,
  weightsBindings,
} from '../weight-code.ts';

const params = {
  ids: 'u32',
  sampled: 'u32',
  out: 'u32',
  outStride: 'u32',
  /** Rows in this buffer of weights. */
  first: 'u32',
  rows: 'u32',
  columns: 'u32',
  ...planeParams,
} as const;

const workgroup = 64;

/** An invocation has what lies together: a piece, or 16 bytes of floats. */
const together = (type: QuantType): number => (isFloat(type) ? floatsOf[type] : pieceColumns);

const main = `
  planes = Planes(0, p.low, p.high, p.parts, p.partsHigh, p.numbers);
  let at = group.x * ${workgroup} + lane;
  var id: i32;
  if (p.sampled == 1) { id = i32(work[p.ids + group.y]); } else { id = i32(tables[p.ids + group.y]); }
  let row = u32(id) - p.first;
  let out = p.out + group.y * p.outStride;
  if (id >= 0 && row < p.rows) { decode(row, at, out); }
  // A sampled id below zero is none.
  if (id < 0 && p.first == 0) { clear(at, out); }`;

const clearCode = (count: number): string => `
fn clear(at: u32, out: u32) {
  for (var i = at * ${count}; i < min((at + 1) * ${count}, p.columns); i++) { work[out + i] = 0; }
}`;

function floatsCode(type: FloatType): string {
  const count = floatsOf[type];
  const value = (i: number) =>
    `if (at * ${count} + ${i} < p.columns) { work[out + at * ${count} + ${i}] = bitcast<u32>(floatOf(u, ${i})); }`;
  return `${floatCode(type)}
fn decode(row: u32, at: u32, out: u32) {
  if (at * ${count} >= p.columns) { return; }
  let u = floatQuad(row, at);
  ${Array.from({ length: count }, (_, i) => value(i)).join('\n  ')}
}`;
}

/** The integer scales' products are exact, so that only the last operation rounds; see src/quant/decode.ts. */
function integersCode(type: Exclude<QuantType, FloatType>): string {
  const { pieces, part, minimumOf } = formOf(type);
  const scale = part ? 'product(n.x, f32(s.scales[half]))' : 'n.x';
  const value = {
    none: 'product(scale, u)',
    block: 'product(scale, u) + n.y',
    parts: 'product(scale, u) - product(n.y, f32(s.minimums[half]))',
  }[minimumOf];
  return `${halfCode}${weightCode(type)}
fn decode(row: u32, at: u32, out: u32) {
  if (at * ${pieceColumns} >= p.columns) { return; }
  let g = row * (p.columns / ${pieceColumns}) + at;
  let w = values(g);
  ${part ? 'let s = parts(g);' : ''}
  let n = numbers(g / ${pieces});
  for (var i = 0u; i < ${pieceColumns}; i++) {
    let half = i / 16;
    let four = select(w.a, w.b, half == 1)[i / 4 % 4];
    let u = f32(extractBits(i32(four), 8 * (i % 4), 8));
    let scale = ${scale};
    work[out + at * ${pieceColumns} + i] = bitcast<u32>(${value});
  }
}`;
}

const kernels = new Map<QuantType, Kernel<typeof params>>();

function kernelOf(type: QuantType): Kernel<typeof params> {
  const known = kernels.get(type);
  if (known) return known;
  const code = isFloat(type) ? floatsCode(type) : integersCode(type);
  const declarations = bufferCode(1) + code + clearCode(together(type));
  const made = defineKernel({
    ...{ name: `embed ${type}`, params, bindings: weightsBindings(1), workgroup, declarations, main },
  });
  kernels.set(type, made);
  return made;
}

/** out[i] = row ids[i] of table. */
export function embed(
  { recorder }: Context,
  out: GpuWorkBuffer,
  table: GpuMatrix,
  ids: Int32Array | GpuTokens,
  count: number,
): void {
  const { type, columns } = table;
  const sampled = !(ids instanceof Int32Array);
  const at = sampled ? ids.at : recorder.table(ids);
  const groups = Math.ceil(columns / together(type) / workgroup);
  for (const { buffer, first, rows, planes } of table.parts) {
    const where = { ids: at, sampled: sampled ? 1 : 0, out: out.at, outStride: out.stride };
    recorder.record(kernelOf(type), [groups, count], { ...where, first, rows, columns, ...planes }, [buffer]);
  }
}
