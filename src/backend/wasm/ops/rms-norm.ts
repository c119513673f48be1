import { defineOp } from './op.ts';

/** RMSNorm over `groups` consecutive groups of `columns` in a row. Items: rows. */
export const rmsNorm = defineOp({
  name: 'rmsNorm',
  params: {
    rows: 'i32',
    out: 'i32',
    outStride: 'i32',
    x: 'i32',
    xStride: 'i32',
    weight: 'i32',
    /** Weights, which the groups have in turn. */
    weights: 'i32',
    columns: 'i32',
    groups: 'i32',
    epsilon: 'f32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints, floats) => {
    const [columns, groups, epsilon] = [ints[at.columns], ints[at.groups], floats[at.epsilon]];
    const weights = ints[at.weights];
    for (let row = first; row < first + count; row++) {
      const out = ints[at.out] + row * ints[at.outStride];
      const x = ints[at.x] + row * ints[at.xStride];
      for (let group = 0; group < groups; group++) {
        const offset = group * columns * 4;
        const weight = ints[at.weight] + (group % weights) * columns * 4;
        m.kernels.rms_norm(out + offset, x + offset, weight, columns, epsilon);
      }
    }
  },
});
