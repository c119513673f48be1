import { defineOp } from './op.ts';

/** x *= factor. Items: rows. */
export const scale = defineOp({
  name: 'scale',
  params: {
    rows: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
    factor: 'f32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints, floats) => {
    for (let row = first; row < first + count; row++)
      m.kernels.scale(ints[at.x] + row * ints[at.stride], ints[at.eights], floats[at.factor]);
  },
});
