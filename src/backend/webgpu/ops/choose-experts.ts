/** Chooses each row's experts as {@link RouterOptions} say; see src/backend/reference/routing.ts. `route` is for those that say nothing. */

import type { RouterOptions } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuRouting, GpuVector, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf } from '../math.ts';
import { greatest, lanes, mostExperts } from './route.ts';

const kinds = ['softmax', 'sigmoid', 'chosen'] as const;

/** {@link RouterOptions} with vectors of this backend. */
export type GpuRouter = Omit<RouterOptions, 'bias' | 'scales'> & {
  readonly bias?: GpuVector | undefined;
  readonly scales?: GpuVector | undefined;
};

const kernel = defineKernel({
  name: 'chooseExperts',
  params: {
    ...{ logits: 'u32', stride: 'u32', experts: 'u32', topK: 'u32', chosen: 'u32', weights: 'u32' },
    ...{ kind: 'u32', biased: 'u32', bias: 'u32', groups: 'u32', groupsUsed: 'u32' },
    ...{ normalised: 'u32', scaled: 'u32', scales: 'u32', scale: 'f32' },
  },
  workgroup: lanes,
  declarations: `${exactArithmetic()}${mathOf(1)}${greatest}
var<workgroup> probabilities: array<f32, ${mostExperts}>;
/** What experts are chosen by, as numbers in the order of preference; 0 for those that are not. */
var<workgroup> preferences: array<u32, ${mostExperts}>;
var<workgroup> worths: array<u32, ${mostExperts}>;
/** Of the chosen, in the order of choice. */
var<workgroup> best: array<f32, ${mostExperts}>;
var<workgroup> bestExperts: array<u32, ${mostExperts}>;
var<workgroup> total: f32;

/** The order of floats as that of words; both zeros are equal. */
fn orderOf(x: f32) -> u32 {
  let bits = select(bitcast<u32>(x), 0u, x == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn floatOf(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, (order & 0x80000000u) != 0u));
}

/** How many experts come before this one. */
fn rankOf(expert: u32) -> u32 {
  let own = preferences[expert];
  var rank = 0u;
  for (var e = 0u; e < p.experts; e++) {
    rank += select(0u, 1u, preferences[e] > own || (preferences[e] == own && e < expert));
  }
  return rank;
}

fn worthOf(group: u32) -> u32 {
  let size = p.experts / p.groups;
  var first = 0u;
  var second = 0u;
  for (var e = group * size; e < (group + 1u) * size; e++) {
    let own = preferences[e];
    second = max(second, min(first, own));
    first = max(first, own);
  }
  return orderOf(floatOf(first) + floatOf(second));
}

fn rankOfGroup(group: u32) -> u32 {
  var rank = 0u;
  for (var g = 0u; g < p.groups; g++) {
    rank += select(0u, 1u, worths[g] > worths[group] || (worths[g] == worths[group] && g < group));
  }
  return rank;
}
`,
  main: `
  let logits = p.logits + group.x * p.stride;
  let most = greatest(logits, lane);
  for (var e = lane; e < p.experts; e += ${lanes}u) {
    let score = bitcast<f32>(work[logits + e]);
    var value = score;
    if (p.kind == 0u) { value = exps(score - most); }
    if (p.kind == 1u) { value = divide(1.0, 1.0 + exps(-score)); }
    probabilities[e] = value;
  }
  workgroupBarrier();
  if (p.kind == 0u && lane == 0u) {
    var sum = 0.0;
    for (var e = 0u; e < p.experts; e++) { sum = sum + probabilities[e]; }
    total = sum;
  }
  workgroupBarrier();
  for (var e = lane; e < p.experts; e += ${lanes}u) {
    if (p.kind == 0u) { probabilities[e] = divide(probabilities[e], total); }
    var preference = probabilities[e];
    if (p.biased == 1u) { preference = kept(preference) + bitcast<f32>(work[p.bias + e]); }
    preferences[e] = orderOf(preference);
  }
  workgroupBarrier();
  for (var g = lane; g < p.groups; g += ${lanes}u) { worths[g] = worthOf(g); }
  workgroupBarrier();
  for (var e = lane; e < p.experts && p.groups > 0u; e += ${lanes}u) {
    if (rankOfGroup(e / (p.experts / p.groups)) >= p.groupsUsed) { preferences[e] = 0u; }
  }
  workgroupBarrier();
  for (var e = lane; e < p.experts; e += ${lanes}u) {
    let rank = rankOf(e);
    if (rank < p.topK) {
      best[rank] = probabilities[e];
      bestExperts[rank] = e;
      work[p.chosen + group.x * p.topK + rank] = e;
    }
  }
  workgroupBarrier();
  if (lane == 0u) {
    if (p.kind == 2u) {
      var largest = best[0];
      for (var i = 1u; i < p.topK; i++) { largest = max(largest, best[i]); }
      for (var i = 0u; i < p.topK; i++) { best[i] = exps(best[i] - largest); }
    }
    var sum = 0.0;
    for (var i = 0u; i < p.topK; i++) { sum = sum + best[i]; }
    total = max(sum, ${2 ** -14});
  }
  workgroupBarrier();
  for (var i = lane; i < p.topK; i += ${lanes}u) {
    var weight = best[i];
    if (p.normalised == 1u || p.kind == 2u) { weight = divide(weight, total); }
    if (p.scaled == 1u) { weight = product(weight, bitcast<f32>(work[p.scales + bestExperts[i]])); }
    work[p.weights + group.x * p.topK + i] = bitcast<u32>(product(weight, p.scale));
  }`,
});

export function chooseExperts(
  { recorder }: Context,
  routing: GpuRouting,
  logits: GpuWorkBuffer,
  rows: number,
  { kind = 'softmax', bias, groups, normalised = true, scales, scale = 1 }: GpuRouter,
): void {
  const { experts, topK, chosen, weights } = routing;
  recorder.record(kernel, [rows], {
    ...{ logits: logits.at, stride: logits.stride, experts, topK, chosen, weights },
    ...{ kind: kinds.indexOf(kind), biased: Number(bias !== undefined), bias: bias?.at ?? 0 },
    ...{ groups: groups?.count ?? 0, groupsUsed: groups?.used ?? 0, normalised: Number(normalised) },
    ...{ scaled: Number(scales !== undefined), scales: scales?.at ?? 0, scale },
  });
}
