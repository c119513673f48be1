import { groupRows } from '../../../kernels/layout.ts';
import { hasBadScale } from '../../../quant/check-scales.ts';
import { defineOp } from './op.ts';

/** Rows of a file's blocks into the packed layout; a scale that is not finite throws. Items: row groups. */
export const pack = defineOp({
  name: 'pack',
  params: {
    /** Number of the weights' type. */
    type: 'i32',
    rows: 'i32',
    source: 'i32',
    /** Bytes of a row in the file. */
    rowBytes: 'i32',
    /** Blocks in a row. */
    blocks: 'i32',
    target: 'i32',
    groupStride: 'i32',
  },
  items: ({ rows }) => Math.ceil(rows / groupRows),
  chunk: () => 16,
  run:
    at =>
    (m, { types }, first, count, ints) => {
      const [source, rowBytes, blocks] = [ints[at.source], ints[at.rowBytes], ints[at.blocks]];
      const type = types[ints[at.type]];
      const from = source + first * groupRows * rowBytes;
      const end = source + Math.min(ints[at.rows], (first + count) * groupRows) * rowBytes;
      if (hasBadScale(type, m.bytes.subarray(from, end))) throw new Error('a scale that is not finite');
      const kernel = m.kernels[`pack_${type}`];
      for (let group = first; group < first + count; group++) {
        const target = ints[at.target] + group * ints[at.groupStride];
        kernel(source + group * groupRows * rowBytes, rowBytes, blocks, target);
      }
    },
});
