/** Chooses each row's experts by their scores, and the weights of the choice; see src/backend/reference/routing.ts. */
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuRouting, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf } from '../math.ts';

/** More do not fit into a workgroup's memory. */
export const mostExperts = 1024;

export const lanes = 64;

/** The largest of a row's scores. */
export const greatest = `
var<workgroup> maxima: array<f32, ${lanes}>;
fn greatest(logits: u32, lane: u32) -> f32 {
  var most = bitcast<f32>(work[logits]);
  for (var e = lane; e < p.experts; e += ${lanes}u) { most = max(most, bitcast<f32>(work[logits + e])); }
  maxima[lane] = most;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) { maxima[lane] = max(maxima[lane], maxima[lane + half]); }
    workgroupBarrier();
  }
  return maxima[0];
}
`;

const kernel = defineKernel({
  name: 'route',
  params: { logits: 'u32', stride: 'u32', experts: 'u32', topK: 'u32', chosen: 'u32', weights: 'u32' },
  workgroup: lanes,
  declarations: `${exactArithmetic()}${mathOf(1)}${greatest}
var<workgroup> probabilities: array<f32, ${mostExperts}>;
/** Those of the chosen, in the order of choice. */
var<workgroup> best: array<f32, ${mostExperts}>;
var<workgroup> total: f32;

/** How many experts come before this one. Bits of numbers from 0 on have their order, and one that is none has its place too. */
fn rankOf(expert: u32) -> u32 {
  let own = bitcast<u32>(probabilities[expert]);
  var rank = 0u;
  for (var e = 0u; e < p.experts; e++) {
    let other = bitcast<u32>(probabilities[e]);
    rank += select(0u, 1u, other > own || (other == own && e < expert));
  }
  return rank;
}
`,
  main: `
  let logits = p.logits + group.x * p.stride;
  let most = greatest(logits, lane);
  for (var e = lane; e < p.experts; e += ${lanes}u) { probabilities[e] = exps(bitcast<f32>(work[logits + e]) - most); }
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0.0;
    for (var e = 0u; e < p.experts; e++) { sum = sum + probabilities[e]; }
    total = sum;
  }
  workgroupBarrier();
  for (var e = lane; e < p.experts; e += ${lanes}u) { probabilities[e] = divide(probabilities[e], total); }
  workgroupBarrier();
  for (var e = lane; e < p.experts; e += ${lanes}u) {
    let rank = rankOf(e);
    if (rank < p.topK) {
      best[rank] = probabilities[e];
      work[p.chosen + group.x * p.topK + rank] = e;
    }
  }
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0.0;
    for (var i = 0u; i < p.topK; i++) { sum = sum + best[i]; }
    total = max(sum, ${2 ** -14});
  }
  workgroupBarrier();
  for (var i = lane; i < p.topK; i += ${lanes}u) {
    work[p.weights + group.x * p.topK + i] = bitcast<u32>(divide(best[i], total));
  }`,
});

export function route({ recorder }: Context, routing: GpuRouting, logits: GpuWorkBuffer, rows: number): void {
  const { experts, topK, chosen, weights } = routing;
  recorder.record(kernel, [rows], { logits: logits.at, stride: logits.stride, experts, topK, chosen, weights });
}
