import { type ActivationKind, tilesOf } from '../../../kernels/activation.ts';
import type { KernelInstance } from '../thread-context.ts';
import { defineOp } from './op.ts';

/** The number of a kind is its place here. */
export const activationKinds: readonly ActivationKind[] = ['q32', 'q256', 'f32'];

/** The kernel for activations of a kind, by its number. */
export function quantizer({ kernels }: KernelInstance, kind: number) {
  return kind === 0 ? kernels.quantize_q32 : kind === 1 ? kernels.quantize_q256 : kernels.quantize_f32;
}

/** Rows as the matrix kernels read them, interleaved by tiles. Items: rows. */
export const quantize = defineOp({
  name: 'quantize',
  params: {
    kind: 'i32',
    rows: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Blocks in a row. */
    blocks: 'i32',
    out: 'i32',
    /** Bytes of one token's activations. */
    perToken: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, context, first, count, ints) => {
    const [x, stride, blocks] = [ints[at.x], ints[at.stride], ints[at.blocks]];
    const [out, perToken] = [ints[at.out], ints[at.perToken]];
    const kernel = quantizer(m, ints[at.kind]);
    let start = 0;
    for (const tile of tilesOf(ints[at.rows], context.maxTile)) {
      const to = Math.min(start + tile, first + count);
      for (let row = Math.max(start, first); row < to; row++)
        kernel(x + row * stride, blocks, out + start * perToken + 4 * (row - start), tile);
      start += tile;
    }
  },
});
