import { tilesOf } from '../../../kernels/activation.ts';
import { defineOp } from './op.ts';

/** Latent attention of rows of queries over pages: all heads share a key. Items: rows * tiles of heads. */
export const latentAttention = defineOp({
  name: 'latentAttention',
  params: {
    rows: 'i32',
    /** Number of the cache's type. */
    type: 'i32',
    /** Queries' first dimensions, latentDim for each head; and the others. */
    latent: 'i32',
    latentStride: 'i32',
    rotated: 'i32',
    rotatedStride: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** For each row its block table, and the positions that it sees: from..to-1. */
    reaches: 'i32',
    /** Keys of page 0. */
    base: 'i32',
    pageBytes: 'i32',
    heads: 'i32',
    /** Most query heads of one kernel call. */
    together: 'i32',
    latentDim: 'i32',
    headDim: 'i32',
    scale: 'f32',
  },
  items: ({ rows, heads, together }) => rows * Math.ceil(heads / together),
  chunk: (_, items, turns) => Math.min(16, Math.ceil(items / turns)),
  run: at => (m, context, first, count, ints, floats) => {
    const [latentDim, headDim, base] = [ints[at.latentDim], ints[at.headDim], ints[at.base]];
    const [pageBytes, scale] = [ints[at.pageBytes], floats[at.scale]];
    const kernels = m.attention[ints[at.type]];
    const tiles = tilesOf(ints[at.heads], ints[at.together]);
    for (let item = first; item < first + count; item++) {
      const row = Math.floor(item / tiles.length);
      const tile = item % tiles.length;
      let head = 0;
      for (let i = 0; i < tile; i++) head += tiles[i];
      const q = ints[at.latent] + row * ints[at.latentStride] + 4 * head * latentDim;
      const rotated = ints[at.rotated] + row * ints[at.rotatedStride] + 4 * head * (headDim - latentDim);
      const out = ints[at.out] + row * ints[at.outStride] + 4 * head * latentDim;
      const reach = (ints[at.reaches] >>> 2) + 3 * row;
      const [table, from, to] = [m.words[reach], m.words[reach + 1], m.words[reach + 2]];
      // biome-ignore format: one line of arguments
      kernels[tiles[tile]](q, rotated, out, headDim, latentDim, table, base, pageBytes, 0, from, to, scale, 0, 0, context.scratch);
    }
  },
});
