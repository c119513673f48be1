/**
 * Rows of floats become 8-bit blocks, as docs/numerics.md says. A token's words: those of its codes, [8][pieces], so that
 * neighbouring invocations read neighbouring words; the sums of each 16 codes, two in a word, [pieces]; scales, [blocks].
 */
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { pieceColumns } from '../layout.ts';

/** Where the inputs of a product lie, in words. */
export interface Activations {
  readonly x: number;
  readonly perToken: number;
}

const params = {
  x: 'u32',
  stride: 'u32',
  pieces: 'u32',
  out: 'u32',
  perToken: 'u32',
} as const;

/**
 * `quantize(lane, x, piece, pieces, out)`: all `lanes` of a workgroup, a multiple of 64, together write four columns each of the
 * token at word `out`: those of piece number `piece` from lane % 8 * 4 on. Pieces from `pieces` on are not there, and their x
 * is 0. Behind `exactArithmetic`; `work` is of u32.
 */
export function quantizeCode(blockSize: number, lanes: number): string {
  const sharing = blockSize / 4;
  return `
var<workgroup> largest: array<f32, ${lanes}>;
var<workgroup> sums: array<i32, ${lanes}>;
fn quantize(lane: u32, x: vec4f, piece: u32, pieces: u32, out: u32) {
  let a = abs(x);
  largest[lane] = max(max(a.x, a.y), max(a.z, a.w));
  for (var apart = ${sharing / 2}u; apart > 0; apart /= 2) {
    workgroupBarrier();
    if (lane % ${sharing} < apart) { largest[lane] = max(largest[lane], largest[lane + apart]); }
  }
  workgroupBarrier();
  let d = divide(largest[lane / ${sharing} * ${sharing}], 127);
  var inverse = 0.0;
  if (d >= 1e-30) { inverse = divide(1, d); }
  let q = vec4i(round(x * inverse));
  sums[lane] = q.x + q.y + q.z + q.w;
  workgroupBarrier();
  if (piece >= pieces) { return; }
  let bytes = vec4u(q) & vec4u(255);
  work[out + lane % 8 * pieces + piece] = bytes.x | (bytes.y << 8) | (bytes.z << 16) | (bytes.w << 24);
  if (lane % 8 == 0) {
    let first = sums[lane] + sums[lane + 1] + sums[lane + 2] + sums[lane + 3];
    let second = sums[lane + 4] + sums[lane + 5] + sums[lane + 6] + sums[lane + 7];
    work[out + 8 * pieces + piece] = (u32(first) & 0xffff) | (u32(second) << 16);
  }
  if (lane % ${sharing} == 0) { work[out + 9 * pieces + piece / ${blockSize / pieceColumns}] = bitcast<u32>(d); }
}`;
}

/** Invocations of four columns each: 256 columns, whole blocks of either size. */
const lanes = 64;

const define = (blockSize: number): Kernel<typeof params> =>
  defineKernel({
    name: `quantize in blocks of ${blockSize}`,
    params,
    workgroup: lanes,
    declarations: exactArithmetic() + quantizeCode(blockSize, lanes),
    main: `
  let piece = group.x * 8 + lane / 8;
  let at = p.x + group.y * p.stride + piece * ${pieceColumns} + lane % 8 * 4;
  var x = vec4f(0);
  if (piece < p.pieces) { x = bitcast<vec4f>(vec4u(work[at], work[at + 1], work[at + 2], work[at + 3])); }
  quantize(lane, x, piece, p.pieces, p.out + group.y * p.perToken);`,
  });

/** By the size of blocks. */
export const quantizeKernels = new Map([32, 256].map(blockSize => [blockSize, define(blockSize)]));

/** Words of a token's activations. */
export const activationWords = (columns: number, blockSize: number): number =>
  Math.ceil(((9 * columns) / pieceColumns + columns / blockSize) / 16) * 16;

export function quantize(
  { recorder }: Context,
  out: Activations,
  x: GpuWorkBuffer,
  rows: number,
  blockSize: number,
): void {
  const pieces = x.columns / pieceColumns;
  const { x: at, perToken } = out;
  const fields = { x: x.at, stride: x.stride, pieces, out: at, perToken };
  recorder.record(quantizeKernels.get(blockSize)!, [Math.ceil(pieces / 8), rows], fields);
}
