import { tilesOf } from '../../../kernels/activation.ts';
import { defineOp } from './op.ts';

/** Attention of rows of queries over pages. Items: rows * kvHeads * tiles of the query heads that share one. */
export const attention = defineOp({
  name: 'attention',
  params: {
    rows: 'i32',
    /** Number of the cache's type. */
    type: 'i32',
    q: 'i32',
    qStride: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** For each row its block table, and the positions that it sees: from..to-1. */
    reaches: 'i32',
    /** Keys of page 0. */
    base: 'i32',
    pageBytes: 'i32',
    /** Bytes from a page's keys to its values. */
    valuesAt: 'i32',
    heads: 'i32',
    kvHeads: 'i32',
    /** Most query heads of one kernel call. */
    together: 'i32',
    headDim: 'i32',
    /** Bytes of a page's keys of one head. */
    headBytes: 'i32',
    scale: 'f32',
    /** Softcap, or 0. */
    cap: 'f32',
    /** Address of the heads' sinks, or 0. */
    sinks: 'i32',
  },
  items: ({ rows, heads, kvHeads, together }) => rows * kvHeads * Math.ceil(heads / kvHeads / together),
  chunk: (_, items, turns) => Math.min(16, Math.ceil(items / turns)),
  run: at => (m, context, first, count, ints, floats) => {
    const [kvHeads, headDim, valuesAt] = [ints[at.kvHeads], ints[at.headDim], ints[at.valuesAt]];
    const [pageBytes, scale, cap] = [ints[at.pageBytes], floats[at.scale], floats[at.cap]];
    const kernels = m.attention[ints[at.type]];
    const sharing = ints[at.heads] / kvHeads;
    const tiles = tilesOf(sharing, ints[at.together]);
    const perRow = kvHeads * tiles.length;
    for (let item = first; item < first + count; item++) {
      const row = Math.floor(item / perRow);
      const kvHead = Math.floor((item % perRow) / tiles.length);
      const tile = item % tiles.length;
      let query = kvHead * sharing;
      for (let i = 0; i < tile; i++) query += tiles[i];
      const head = query * headDim * 4;
      const sinks = ints[at.sinks] && ints[at.sinks] + 4 * query;
      const q = ints[at.q] + row * ints[at.qStride] + head;
      const out = ints[at.out] + row * ints[at.outStride] + head;
      const keys = ints[at.base] + kvHead * ints[at.headBytes];
      const reach = (ints[at.reaches] >>> 2) + 3 * row;
      const [table, from, to] = [m.words[reach], m.words[reach + 1], m.words[reach + 2]];
      // biome-ignore format: one line of arguments
      kernels[tiles[tile]](q, 0, out, headDim, headDim, table, keys, pageBytes, valuesAt, from, to, scale, cap, sinks, context.scratch);
    }
  },
});
