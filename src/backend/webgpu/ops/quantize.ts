/** Rows of floats become 8-bit blocks, as docs/numerics.md says; where they lie: activations.ts. */
import type { Activations } from '../activations.ts';
import type { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { pieceColumns } from '../layout.ts';

const params = { x: 'u32', stride: 'u32', pieces: 'u32', out: 'u32', perToken: 'u32', most: 'f32' } as const;

/** An invocation has four columns, a workgroup 256. */
const define = (blockSize: number): Kernel<typeof params> => {
  const lanes = blockSize / 4;
  return defineKernel({
    name: `quantize ${blockSize}`,
    params,
    workgroup: 64,
    declarations: `
var<workgroup> largest: array<f32, 64>;
var<workgroup> sums: array<i32, 64>;
fn value(at: u32) -> f32 { return bitcast<f32>(work[at]); }`,
    main: `
  let piece = group.x * 8 + lane / 8;
  let inside = piece < p.pieces;
  let at = p.x + group.y * p.stride + min(piece, p.pieces - 1) * 32 + lane % 8 * 4;
  let x = vec4f(value(at), value(at + 1), value(at + 2), value(at + 3));
  let a = abs(x);
  largest[lane] = max(max(a.x, a.y), max(a.z, a.w));
  for (var apart = ${lanes / 2}u; apart > 0; apart /= 2) {
    workgroupBarrier();
    if (lane % ${lanes} < apart) { largest[lane] = max(largest[lane], largest[lane + apart]); }
  }
  workgroupBarrier();
  let d = largest[lane / ${lanes} * ${lanes}] / p.most;
  let inverse = select(1.0 / d, 0.0, d < 1e-30);
  let q = vec4i(round(x * inverse));
  sums[lane] = q.x + q.y + q.z + q.w;
  workgroupBarrier();
  if (!inside) { return; }
  let out = p.out + group.y * p.perToken;
  let bytes = vec4u(q) & vec4u(255);
  work[out + lane % 8 * p.pieces + piece] = bytes.x | (bytes.y << 8) | (bytes.z << 16) | (bytes.w << 24);
  if (lane % 8 == 0) {
    let first = sums[lane] + sums[lane + 1] + sums[lane + 2] + sums[lane + 3];
    let second = sums[lane + 4] + sums[lane + 5] + sums[lane + 6] + sums[lane + 7];
    work[out + 8 * p.pieces + piece] = (u32(first) & 0xffff) | (u32(second) << 16);
  }
  if (lane % ${lanes} == 0) { work[out + 9 * p.pieces + piece / ${blockSize / pieceColumns}] = bitcast<u32>(d); }`,
  });
};

const kernels = new Map([32, 256].map(blockSize => [blockSize, define(blockSize)]));

export function quantize(
  { recorder }: Context,
  out: Activations,
  x: GpuWorkBuffer,
  rows: number,
  blockSize: number,
): void {
  const pieces = x.columns / pieceColumns;
  const { x: at, perToken } = out;
  // A compiler that knew the divisor would multiply by its inverse, which rounds otherwise.
  const most = 127;
  const fields = { x: x.at, stride: x.stride, pieces, out: at, perToken, most };
  recorder.record(kernels.get(blockSize)!, [Math.ceil(pieces / 8), rows], fields);
}
