import { defineOp } from './op.ts';
import { floatsAt } from './routing.ts';

/** out += weight * slot, in the order of choice. Items: rows. */
export const combine = defineOp({
  name: 'combine',
  params: {
    rows: 'i32',
    out: 'i32',
    outStride: 'i32',
    slots: 'i32',
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
    /** Experts that a row takes. */
    topK: 'i32',
    /** [rows, topK]: the slot of a choice, and its weight. */
    slotOf: 'i32',
    weights: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const [topK, eights] = [ints[at.topK], ints[at.eights]];
    for (let row = first; row < first + count; row++) {
      for (let choice = row * topK; choice < (row + 1) * topK; choice++) {
        const slot = ints[at.slots] + m.words[(ints[at.slotOf] >>> 2) + choice] * ints[at.stride];
        m.kernels.scale(slot, eights, floatsAt(m, ints[at.weights] + choice * 4, 1)[0]);
        m.kernels.add(ints[at.out] + row * ints[at.outStride], slot, eights);
      }
    }
  },
});
