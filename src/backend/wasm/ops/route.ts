import { chooseExperts } from '../../reference/routing.ts';
import { defineOp } from './op.ts';
import { floatsAt, intsAt } from './routing.ts';

/** Chooses each row's experts by their scores. Items: rows. */
export const route = defineOp({
  name: 'route',
  params: {
    rows: 'i32',
    logits: 'i32',
    stride: 'i32',
    experts: 'i32',
    /** Experts that a row takes. */
    topK: 'i32',
    /** [rows, topK]: the experts, and their weights. */
    chosen: 'i32',
    weights: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const topK = ints[at.topK];
    for (let row = first; row < first + count; row++) {
      const offset = row * topK * 4;
      const scores = floatsAt(m, ints[at.logits] + row * ints[at.stride], ints[at.experts]).slice();
      chooseExperts(scores, intsAt(m, ints[at.chosen] + offset, topK), floatsAt(m, ints[at.weights] + offset, topK));
    }
  },
});
