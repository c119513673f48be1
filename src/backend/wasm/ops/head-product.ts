import { tilesOf } from '../../../kernels/activation.ts';
import { defineOp } from './op.ts';
import { groupBytes } from './product.ts';

/** out[i] = for each head its matrix * its piece of x[i]. Items: row groups of all heads. */
export const headProduct = defineOp({
  name: 'headProduct',
  params: {
    heads: 'i32',
    /** Row groups of one head. */
    groups: 'i32',
    /** Number of the weights' type. */
    type: 'i32',
    weights: 'i32',
    /** Blocks in a row. */
    blocks: 'i32',
    groupStride: 'i32',
    rows: 'i32',
    /** Quantised activations, and the bytes of one piece's. */
    x: 'i32',
    perPiece: 'i32',
    out: 'i32',
    outStride: 'i32',
  },
  items: ({ heads, groups }) => heads * groups,
  chunk: ({ groups }, items, turns) => Math.min(groups, Math.ceil(items / turns)),
  run:
    at =>
    (m, { maxTile, scratch }, first, count, ints) => {
      const [groups, blocks, stride] = [ints[at.groups], ints[at.blocks], ints[at.outStride]];
      const [rows, perPiece] = [ints[at.rows], ints[at.perPiece]];
      const kernels = m.products[ints[at.type]];
      const tiles = tilesOf(rows, maxTile);
      for (let item = first; item < first + count; ) {
        const head = Math.floor(item / groups);
        const run = Math.min(first + count - item, (head + 1) * groups - item);
        const weights = ints[at.weights] + item * ints[at.groupStride];
        let x = ints[at.x] + head * rows * perPiece;
        let out = ints[at.out] + item * groupBytes;
        for (const tile of tiles) {
          kernels[tile](weights, blocks, run, x, out, stride, 0, 0, scratch);
          x += tile * perPiece;
          out += tile * stride;
        }
        item += run;
      }
    },
});
