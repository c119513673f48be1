import { defineOp } from './op.ts';
import { quantizer } from './quantize.ts';
import { eachTile } from './routing.ts';

/** Quantises the rows of every slot; tiles follow the experts' ranges. Items: experts. */
export const quantizeSlots = defineOp({
  name: 'quantizeSlots',
  params: {
    experts: 'i32',
    kind: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Blocks in a row. */
    blocks: 'i32',
    out: 'i32',
    /** Bytes of one slot's activations. */
    perToken: 'i32',
    starts: 'i32',
    /** The row of a slot; 0 when x has a row for each slot. */
    tokenOf: 'i32',
  },
  items: ({ experts }) => experts,
  chunk: () => 1,
  run:
    at =>
    (m, { maxTile }, first, count, ints) => {
      const [x, stride, blocks, tokenOf] = [ints[at.x], ints[at.stride], ints[at.blocks], ints[at.tokenOf]];
      const kernel = quantizer(m, ints[at.kind]);
      for (let expert = first; expert < first + count; expert++) {
        eachTile(m, ints[at.starts], expert, maxTile, (slot, tile) => {
          const out = ints[at.out] + slot * ints[at.perToken];
          for (let i = 0; i < tile; i++) {
            const row = tokenOf ? m.words[(tokenOf >>> 2) + slot + i] : slot + i;
            kernel(x + row * stride, blocks, out + 4 * i, tile);
          }
        });
      }
    },
});
