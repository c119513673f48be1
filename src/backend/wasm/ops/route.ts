import { chooseExperts } from '../../reference/routing.ts';
import { defineOp } from './op.ts';
import { floatsAt, intsAt } from './routing.ts';

/** A router's kind is its place here. */
export const routerKinds = ['softmax', 'sigmoid', 'chosen'] as const;

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
    /** What chooses otherwise, as {@link RouterOptions} say; 0: none. */
    kind: 'i32',
    bias: 'i32',
    groups: 'i32',
    groupsUsed: 'i32',
    normalised: 'i32',
    scales: 'i32',
    scale: 'f32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints, floats) => {
    const topK = ints[at.topK];
    const experts = ints[at.experts];
    const router = {
      kind: routerKinds[ints[at.kind]],
      bias: ints[at.bias] ? floatsAt(m, ints[at.bias], experts) : undefined,
      groups: ints[at.groups] ? { count: ints[at.groups], used: ints[at.groupsUsed] } : undefined,
      normalised: ints[at.normalised] === 1,
      scales: ints[at.scales] ? floatsAt(m, ints[at.scales], experts) : undefined,
      scale: floats[at.scale],
    };
    for (let row = first; row < first + count; row++) {
      const offset = row * topK * 4;
      const scores = floatsAt(m, ints[at.logits] + row * ints[at.stride], experts).slice();
      const weights = floatsAt(m, ints[at.weights] + offset, topK);
      chooseExperts(scores, intsAt(m, ints[at.chosen] + offset, topK), weights, router);
    }
  },
});
