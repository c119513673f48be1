import { defineOp } from './op.ts';

/** Items: rows. */
export const layerNorm = defineOp({
  name: 'layerNorm',
  params: {
    rows: 'i32',
    out: 'i32',
    outStride: 'i32',
    x: 'i32',
    xStride: 'i32',
    weight: 'i32',
    bias: 'i32',
    columns: 'i32',
    epsilon: 'f32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints, floats) => {
    const [weight, bias, columns] = [ints[at.weight], ints[at.bias], ints[at.columns]];
    for (let row = first; row < first + count; row++) {
      const [out, x] = [ints[at.out] + row * ints[at.outStride], ints[at.x] + row * ints[at.xStride]];
      m.kernels.layer_norm(out, x, weight, bias, columns, floats[at.epsilon]);
    }
  },
});
