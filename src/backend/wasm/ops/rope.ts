import { defineOp } from './op.ts';

/** Rotates the heads of a row in place. Items: rows. */
export const rope = defineOp({
  name: 'rope',
  params: {
    rows: 'i32',
    /** 1: pairs (i, i + dimensions / 2); 0: adjacent ones. */
    halves: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Rotations, a row for each row of x. */
    table: 'i32',
    tableStride: 'i32',
    /** Fours of pairs (halves), or of the numbers in them (adjacent). */
    fours: 'i32',
    heads: 'i32',
    headBytes: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const kernel = ints[at.halves] ? m.kernels.rope_halves : m.kernels.rope_adjacent;
    const [fours, heads, headBytes] = [ints[at.fours], ints[at.heads], ints[at.headBytes]];
    for (let row = first; row < first + count; row++) {
      const table = ints[at.table] + row * ints[at.tableStride];
      kernel(ints[at.x] + row * ints[at.stride], table, fours, heads, headBytes);
    }
  },
});
