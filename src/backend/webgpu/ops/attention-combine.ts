/** Adds up what the splits of a row came to, ascending, as docs/numerics.md says. */

import { combineWords } from '../attention/plan.ts';
import { exactArithmetic } from '../exact.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf } from '../math.ts';

/** Below every score: a split with it has none. */
export const lowest = '-3e38';

/** `combined(first, step, splits, d)`: a dimension's output; `step` words from one split's results to the next. Behind `mathOf(1)`. */
export const combined = `
fn combined(first: u32, step: u32, splits: u32, d: u32) -> f32 {
  var most = ${lowest};
  var sum = 0f;
  var o = 0f;
  for (var split = 0u; split < splits; split++) {
    let at = first + split * step;
    let next = work[at];
    if (next == ${lowest}) { continue; }
    if (most == ${lowest}) {
      most = next;
      sum = work[at + 1];
      o = work[at + 2 + d];
    } else {
      let larger = max(most, next);
      let a = exps(most - larger);
      let b = exps(next - larger);
      most = larger;
      sum = product(sum, a) + product(work[at + 1], b);
      o = product(o, a) + product(work[at + 2 + d], b);
    }
  }
  return o * divide(1, sum);
}
`;

/** A workgroup is a row and a head. */
export const attentionCombine = defineKernel({
  name: 'attentionCombine',
  params: { rows: 'u32', out: 'u32', outStride: 'u32', scratch: 'u32', headDim: 'u32' },
  work: 'f32',
  workgroup: 64,
  declarations: exactArithmetic() + mathOf(1) + combined,
  main: `
  let row = p.rows + group.x * ${combineWords};
  let slotWords = groups.y * (p.headDim + 2);
  let first = p.scratch + tables[row + 1] * slotWords + group.y * (p.headDim + 2);
  let out = p.out + tables[row] * p.outStride + group.y * p.headDim;
  for (var d = lane; d < p.headDim; d += 64) {
    work[out + d] = combined(first, tables[row + 2] * slotWords, tables[row + 3], d);
  }`,
});
