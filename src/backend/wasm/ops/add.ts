import { defineOp } from './op.ts';

/** out += x. Items: rows. */
export const add = defineOp({
  name: 'add',
  params: {
    rows: 'i32',
    out: 'i32',
    x: 'i32',
    /** Bytes between rows, in both. */
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    for (let row = first; row < first + count; row++) {
      const offset = row * ints[at.stride];
      m.kernels.add(ints[at.out] + offset, ints[at.x] + offset, ints[at.eights]);
    }
  },
});
