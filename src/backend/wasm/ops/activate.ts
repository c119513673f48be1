import { everyActivation } from '../../backend.ts';
import { defineOp } from './op.ts';

/** x = activation(x). Items: rows. */
export const activate = defineOp({
  name: 'activate',
  params: {
    rows: 'i32',
    /** Which of {@link everyActivation}. */
    kind: 'i32',
    x: 'i32',
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const kernel = m.kernels[`activate_${everyActivation[ints[at.kind]]}`];
    for (let row = first; row < first + count; row++) kernel(ints[at.x] + row * ints[at.stride], ints[at.eights]);
  },
});
