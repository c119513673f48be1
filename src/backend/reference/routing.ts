/** Which experts a token goes to; the same code for every backend, so the same bits. */
import type { RouterOptions } from '../backend.ts';
import { expf, sigmoid } from './math.ts';

const f = Math.fround;

/** Below this a sum of the chosen's weights counts as this, as in llama.cpp. */
const leastSum = 2 ** -14;

/** {@link RouterOptions} with the values of its vectors. */
export type RouterValues = Omit<RouterOptions, 'bias' | 'scales'> & {
  readonly bias?: Float32Array | undefined;
  readonly scales?: Float32Array | undefined;
};

/**
 * The `chosen.length` likeliest experts of a token, the likeliest first (of equals the lower number), and their weights.
 * arXiv:2401.04088. logits: [experts]
 */
export function chooseExperts(
  logits: Float32Array,
  chosen: Int32Array,
  weights: Float32Array,
  router: RouterValues = {},
): void {
  const { kind = 'softmax', bias, groups, normalised = true, scales, scale = 1 } = router;
  const p = probabilities(logits, kind);
  const preference = bias ? p.map((value, i) => f(value + bias[i])) : p;
  if (groups) banOtherGroups(preference, groups);
  for (let choice = 0; choice < chosen.length; choice++) {
    const best = largest(preference);
    chosen[choice] = best;
    weights[choice] = p[best];
    preference[best] = -Infinity;
  }
  if (kind === 'chosen') exponentiate(weights);
  if (kind === 'chosen' || normalised) normalise(weights);
  if (scales) for (let i = 0; i < chosen.length; i++) weights[i] = f(weights[i] * scales[chosen[i]]);
  if (scale !== 1) for (let i = 0; i < chosen.length; i++) weights[i] = f(weights[i] * f(scale));
}

function probabilities(logits: Float32Array, kind: RouterOptions['kind']): Float32Array {
  if (kind === 'chosen') return logits.slice();
  if (kind === 'sigmoid') return logits.map(sigmoid);
  const max = maximum(logits);
  const p = logits.map(logit => expf(f(logit - max)));
  let sum = 0;
  for (const value of p) sum = f(sum + value);
  for (let i = 0; i < p.length; i++) p[i] = f(p[i] / sum);
  return p;
}

/** Leaves the experts of the best groups, of equals those with the lower number: a group is worth its best two together. */
function banOtherGroups(preference: Float32Array, { count, used }: { count: number; used: number }): void {
  const size = preference.length / count;
  const worth = Float32Array.from({ length: count }, (_, group) => bestTwo(preference, group * size, size));
  for (let left = used; left > 0; left--) worth[largest(worth)] = -Infinity;
  worth.forEach((value, group) => {
    if (value !== -Infinity) preference.fill(-Infinity, group * size, (group + 1) * size);
  });
}

function bestTwo(values: Float32Array, first: number, count: number): number {
  let [best, second] = [-Infinity, -Infinity];
  for (let i = first; i < first + count; i++) {
    if (values[i] > best) [best, second] = [values[i], best];
    else if (values[i] > second) second = values[i];
  }
  return f(best + second);
}

/** Where the largest value is, the first of equals. */
function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

function maximum(values: Float32Array): number {
  let max = -Infinity;
  for (const value of values) if (value > max) max = value;
  return max;
}

function exponentiate(scores: Float32Array): void {
  const max = maximum(scores);
  for (let i = 0; i < scores.length; i++) scores[i] = expf(f(scores[i] - max));
}

function normalise(weights: Float32Array): void {
  let total = 0;
  for (const weight of weights) total = f(total + weight);
  const divisor = Math.max(total, leastSum);
  for (let i = 0; i < weights.length; i++) weights[i] = f(weights[i] / divisor);
}

/**
 * Gives each choice of each token a slot, those of one expert beside each other. chosen, slotOf, tokenOf: [tokens * topK];
 * expert e has slots starts[e] to starts[e + 1]. starts: [experts + 1]
 */
export function assignSlots(
  chosen: Int32Array,
  topK: number,
  { slotOf, tokenOf, starts }: { slotOf: Int32Array; tokenOf: Int32Array; starts: Int32Array },
): void {
  starts.fill(0);
  for (const expert of chosen) starts[expert + 1]++;
  for (let e = 1; e < starts.length; e++) starts[e] += starts[e - 1];
  const next = starts.slice();
  chosen.forEach((expert, i) => {
    const slot = next[expert]++;
    slotOf[i] = slot;
    tokenOf[slot] = Math.floor(i / topK);
  });
}
