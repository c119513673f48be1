import { tilesOf } from '../../../kernels/activation.ts';
import { defineOp } from './op.ts';
import { quantizer } from './quantize.ts';

/** Quantises each head's piece of rows, heads one after the other, each as rows of its own. Items: heads. */
export const quantizeHeads = defineOp({
  name: 'quantizeHeads',
  params: {
    heads: 'i32',
    kind: 'i32',
    rows: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Bytes of a head's piece. */
    pieceBytes: 'i32',
    /** Blocks in a piece. */
    blocks: 'i32',
    out: 'i32',
    /** Bytes of one piece's activations. */
    perPiece: 'i32',
  },
  items: ({ heads }) => heads,
  chunk: () => 1,
  run:
    at =>
    (m, { maxTile }, first, count, ints) => {
      const [rows, stride, blocks, perPiece] = [ints[at.rows], ints[at.stride], ints[at.blocks], ints[at.perPiece]];
      const kernel = quantizer(m, ints[at.kind]);
      for (let head = first; head < first + count; head++) {
        let x = ints[at.x] + head * ints[at.pieceBytes];
        let out = ints[at.out] + head * rows * perPiece;
        for (const tile of tilesOf(rows, maxTile)) {
          for (let i = 0; i < tile; i++) kernel(x + i * stride, blocks, out + 4 * i, tile);
          x += tile * stride;
          out += tile * perPiece;
        }
      }
    },
});
