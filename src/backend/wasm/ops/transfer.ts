import { defineOp } from './op.ts';

/** Rows of memory `from` to the same place in this one. Items: rows. */
export const transfer = defineOp({
  name: 'transfer',
  params: {
    rows: 'i32',
    address: 'i32',
    stride: 'i32',
    /** Bytes of a row. */
    bytes: 'i32',
    /** Number of the memory that holds them. */
    from: 'i32',
  },
  items: ({ rows }) => rows,
  run:
    at =>
    (m, { instances }, first, count, ints) => {
      const source = instances[ints[at.from]].bytes;
      for (let row = first; row < first + count; row++) {
        const start = (ints[at.address] + row * ints[at.stride]) >>> 0;
        m.bytes.set(source.subarray(start, start + ints[at.bytes]), start);
      }
    },
});
