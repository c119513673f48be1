import { defineOp } from './op.ts';
import { groupBytes } from './product.ts';
import { eachTile } from './routing.ts';

/** out[slot] = its expert's matrix * x[slot] (+ its bias). Items: row groups of all experts. */
export const expertProduct = defineOp({
  name: 'expertProduct',
  params: {
    experts: 'i32',
    /** Row groups of one expert. */
    groups: 'i32',
    /** Number of the weights' type. */
    type: 'i32',
    weights: 'i32',
    /** Blocks in a row. */
    blocks: 'i32',
    groupStride: 'i32',
    /** Quantised activations, and the bytes of one slot's. */
    x: 'i32',
    perToken: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** Address of all experts' biases, or 0. */
    bias: 'i32',
    starts: 'i32',
  },
  items: ({ experts, groups }) => experts * groups,
  chunk: ({ groups }, _, turns) => Math.ceil(groups / turns),
  run:
    at =>
    (m, { maxTile, scratch }, first, count, ints) => {
      const [groups, blocks, stride] = [ints[at.groups], ints[at.blocks], ints[at.outStride]];
      const kernels = m.products[ints[at.type]];
      for (let item = first; item < first + count; ) {
        const expert = Math.floor(item / groups);
        const group = item % groups;
        const run = Math.min(first + count - item, groups - group);
        const weights = ints[at.weights] + item * ints[at.groupStride];
        const bias = ints[at.bias] && ints[at.bias] + item * groupBytes;
        eachTile(m, ints[at.starts], expert, maxTile, (slot, tile) => {
          const x = ints[at.x] + slot * ints[at.perToken];
          const out = ints[at.out] + slot * stride + group * groupBytes;
          kernels[tile](weights, blocks, run, x, out, stride, bias, 0, scratch);
        });
        item += run;
      }
    },
});
