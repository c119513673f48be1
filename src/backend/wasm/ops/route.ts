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
    /** The experts' scales, or 0. */
    scales: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const [topK, experts] = [ints[at.topK], ints[at.experts]];
    const scales = ints[at.scales] ? floatsAt(m, ints[at.scales], experts) : undefined;
    for (let row = first; row < first + count; row++) {
      const offset = row * topK * 4;
      const scores = floatsAt(m, ints[at.logits] + row * ints[at.stride], experts).slice();
      const [chosen, weights] = [
        intsAt(m, ints[at.chosen] + offset, topK),
        floatsAt(m, ints[at.weights] + offset, topK),
      ];
      chooseExperts(scores, chosen, weights, scales);
    }
  },
});
