import { defineOp } from './op.ts';

/** x = cap * tanh(x / cap). Items: rows. */
export const softcap = defineOp({
  name: 'softcap',
  params: {
    rows: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
    cap: 'f32',
    /** 1 / cap. */
    inverse: 'f32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints, floats) => {
    for (let row = first; row < first + count; row++)
      m.kernels.softcap(ints[at.x] + row * ints[at.stride], ints[at.eights], floats[at.cap], floats[at.inverse]);
  },
});
