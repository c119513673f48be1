/** Which experts a token goes to; the same code for every backend, so the same bits. */
import { expf } from './math.ts';

const f = Math.fround;

/** Below this a sum of chosen probabilities counts as this, as in llama.cpp. */
const leastSum = 2 ** -14;

/**
 * The `chosen.length` most likely experts of a token, most likely first (of equals the lower number), and their softmax
 * probabilities, divided by the sum of the chosen, times the experts' scales. arXiv:2401.04088. logits, scales: [experts]
 */
export function chooseExperts(
  logits: Float32Array,
  chosen: Int32Array,
  weights: Float32Array,
  scales?: Float32Array,
): void {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  const p = logits.map(logit => expf(f(logit - max)));
  let sum = 0;
  for (const value of p) sum = f(sum + value);
  for (let i = 0; i < p.length; i++) p[i] = f(p[i] / sum);
  let total = 0;
  for (let choice = 0; choice < chosen.length; choice++) {
    let best = 0;
    for (let i = 1; i < p.length; i++) if (p[i] > p[best]) best = i;
    chosen[choice] = best;
    weights[choice] = p[best];
    total = f(total + p[best]);
    p[best] = -1;
  }
  for (let choice = 0; choice < chosen.length; choice++)
    weights[choice] = f(weights[choice] / Math.max(total, leastSum));
  if (!scales) return;
  for (let choice = 0; choice < chosen.length; choice++) weights[choice] = f(weights[choice] * scales[chosen[choice]]);
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
