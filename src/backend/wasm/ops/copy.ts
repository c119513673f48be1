import { defineOp } from './op.ts';

/** Row i is copied from an address of its own. Items: rows. */
export const copy = defineOp({
  name: 'copy',
  params: {
    rows: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** For each row the address of its source. */
    sources: 'i32',
    /** Bytes of a row. */
    bytes: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    for (let row = first; row < first + count; row++) {
      const source = m.words[(ints[at.sources] >>> 2) + row] >>> 0;
      m.bytes.copyWithin((ints[at.out] + row * ints[at.outStride]) >>> 0, source, source + ints[at.bytes]);
    }
  },
});
