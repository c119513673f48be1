/**
 * Attention over a paged cache. A workgroup serves the queries of a tile's rows that share a key-value head, split by split; one
 * source for rows and for prompts, so that both sum in one order. Lanes are positions for scores and dimensions for the output;
 * `Reals` are of a vector of queries.
 */

import { splitTokens } from '../../backend.ts';
import { type Geometry, type Scores, type Shape, shapeOf } from '../attention/geometry.ts';
import { addSplit, finish, outputPhase, outputVariables } from '../attention/output.ts';
import { itemWords, wholeTile } from '../attention/plan.ts';
import { startQueries } from '../attention/queries.ts';
import { scorePhase } from '../attention/scores.ts';
import { softmaxPhase } from '../attention/softmax.ts';
import { exactArithmetic } from '../exact.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf, softcaps } from '../math.ts';
import type { PageLayout } from '../page-layout.ts';
import { lowest } from './attention-combine.ts';

const params = {
  q: 'u32',
  qStride: 'u32',
  out: 'u32',
  outStride: 'u32',
  scratch: 'u32',
  items: 'u32',
  pages: 'u32',
  /** Query heads in all, of a key-value head, and of a workgroup; workgroups of a key-value head. */
  heads: 'u32',
  group: 'u32',
  together: 'u32',
  parts: 'u32',
  scale: 'f32',
  /** See sight.ts. */
  behind: 'u32',
  ahead: 'u32',
  /** Where kernels have one; `inverse` = f32(1 / cap). */
  cap: 'f32',
  inverse: 'f32',
  valuesAt: 'u32',
  pageWords: 'u32',
  /** Where kernels have some: one for each head. */
  sinks: 'u32',
} as const;

/** What a query's number is before it is scaled: one that is not in work memory yet may be made here. */
const queryAt = `
fn queryAt(row: u32, column: u32) -> f32 { return work[p.q + row * p.qStride + column]; }
`;

export type AttentionKernel = ReturnType<typeof attentionKernel>;

/** The kernel for heads of a layout: kernels of equal layouts and geometries are the same, see {@link kernelFor}. */
export function attentionKernel(layout: PageLayout, geometry: Geometry, scores: Scores) {
  const shape = shapeOf(layout, geometry, scores);
  return defineKernel({
    name: `attention ${layout.type} ${layout.headDim} x ${geometry.queries} x ${geometry.positions}`,
    params,
    work: 'f32',
    bindings: [{ name: 'cache', type: 'array<u32>', access: 'read' }],
    workgroup: geometry.lanes,
    declarations: declarations(shape),
    main: main(shape),
  });
}

const kernels = new Map<string, AttentionKernel>();

export function kernelFor(layout: PageLayout, geometry: Geometry, scores: Scores): AttentionKernel {
  const { queries, width, positions, lanes, inFlight } = geometry;
  const key = [
    layout.type,
    layout.headDim,
    queries,
    width,
    positions,
    lanes,
    inFlight,
    scores.capped,
    scores.sunk,
  ].join(' ');
  const kernel = kernels.get(key) ?? attentionKernel(layout, geometry, scores);
  kernels.set(key, kernel);
  return kernel;
}

const declarations = (s: Shape): string => `${queryAt}${exactArithmetic()}${mathOf(s.width)}${s.capped ? softcaps : ''}
const lowest = Reals(${lowest});
// [headDim][vectors], scaled
var<workgroup> queries: array<Reals, ${s.headDim * s.vectors}>;
// [positions][vectors]: scores, then weights
var<workgroup> scores: array<Reals, ${s.positions * s.vectors}>;
// [vectors][pages][8]: of the positions j, j + 8, j + 16, j + 24 of a page the maximum, then the sum
var<workgroup> eights: array<Reals, ${s.vectors * s.pages * 8}>;
// [pages]: words before them in the cache
var<workgroup> pageAt: array<u32, ${s.pages}>;
// [vectors][pages]: the maximum of a page
var<workgroup> tops: array<Reals, ${s.vectors * s.pages}>;
// [vectors][pages]: the maximum so far, and what it makes of older sums
var<workgroup> maxima: array<Reals, ${s.vectors * s.pages}>;
var<workgroup> decays: array<Reals, ${s.vectors * s.pages}>;
// [vectors]: of the split, and of all splits before it; factors on the output of both
var<workgroup> splitMax: array<Reals, ${s.vectors}>;
var<workgroup> splitSum: array<Reals, ${s.vectors}>;
var<workgroup> totalMax: array<Reals, ${s.vectors}>;
var<workgroup> totalSum: array<Reals, ${s.vectors}>;
var<workgroup> ofTotal: array<Reals, ${s.vectors}>;
var<workgroup> ofSplit: array<Reals, ${s.vectors}>;
// [vectors]: the positions that queries see
var<workgroup> seenFrom: array<Ints, ${s.vectors}>;
var<workgroup> seenTo: array<Ints, ${s.vectors}>;

fn visible(position: u32, vector: u32) -> Flags {
  let at = Ints(i32(position));
  return (at >= seenFrom[vector]) & (at <= seenTo[vector]);
}
fn pageMax(at: u32) -> Reals {
  let e = at * 8;
  return max(
    max(max(eights[e], eights[e + 1]), max(eights[e + 2], eights[e + 3])),
    max(max(eights[e + 4], eights[e + 5]), max(eights[e + 6], eights[e + 7])),
  );
}
fn pageSum(at: u32) -> Reals {
  let e = at * 8;
  return ((eights[e] + eights[e + 4]) + (eights[e + 2] + eights[e + 6]))
    + ((eights[e + 1] + eights[e + 5]) + (eights[e + 3] + eights[e + 7]));
}
${s.type === 'F16' ? '' : bytesOf}`;

const bytesOf = `
fn bytesOf(word: u32, scale: vec4f) -> vec4f {
  let bits = vec4i(i32(word));
  let scaled = vec4f((bits << vec4u(24, 16, 8, 0)) >> vec4u(24)) * scale;
  return bitcast<vec4f>(bitcast<vec4u>(scaled) | vec4u(p.zero));
}
`;

const main = (s: Shape): string => `
  let item = p.items + group.x * ${itemWords};
  let row = tables[item];
  let rows = tables[item + 1];
  let position = tables[item + 2];
  let pages = p.pages + tables[item + 3];
  let only = tables[item + 4];
  let slot = tables[item + 5];
  let end = tables[item + 6];
  let kvHead = group.y / p.parts;
  let firstHead = kvHead * p.group + (group.y % p.parts) * p.together;
  let heads = min(p.together, (kvHead + 1) * p.group - firstHead);
  let last = min(position + rows - 1 + p.ahead, end);
  let first = position - min(position, p.behind);
  let keysAt = kvHead * ${s.headWords};
  let valuesAt = p.valuesAt + keysAt;
  // The lane's share of the output.
  let word = lane % ${s.lanesOfRow} / ${s.inWord / s.dims};
  let inWord = lane % ${s.inWord / s.dims};
  let vector0 = lane / ${s.lanesOfRow} * ${s.vectorsOfLane};
  let hasOutput = vector0 < ${s.vectors};
${outputVariables(s)}
${startQueries(s)}
  let whole = only == ${wholeTile};
  let toSplit = select(only, last / ${splitTokens}, whole);
  for (var split = select(only, first / ${splitTokens}, whole); split <= toSplit; split++) {
    let low = max(first, split * ${splitTokens});
    let high = min(last, split * ${splitTokens} + ${splitTokens - 1});
    for (var start = low - low % ${s.positions}; start <= high; start += ${s.positions}) {
      workgroupBarrier();
${scorePhase(s)}
      workgroupBarrier();
${softmaxPhase(s)}
${outputPhase(s)}
    }
    workgroupBarrier();
${addSplit(s)}
  }
${finish(s)}`;
