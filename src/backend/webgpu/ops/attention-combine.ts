/** Adds up what the splits of a row came to, ascending, as docs/numerics.md says. */

import { combineWords } from '../attention/plan.ts';
import { exactArithmetic } from '../exact.ts';
import { defineKernel } from '../kernel.ts';
import { mathOf } from '../math.ts';

/** Below every score: a split with it has none. */
export const lowest = '-3e38';

/**
 * `combined(first, step, splits, d, head)`: the output of dimensions from d on, as many as `width`; `step` words from one split's
 * results to the next. Behind `mathOf(1)`. `prefix`: of the parameters' names.
 */
export function combinedOf(width: 1 | 4, prefix = ''): string {
  const [type, parts] = width === 1 ? ['f32', ['']] : ['vec4f', ['.x', '.y', '.z', '.w']];
  const make = (line: (part: string, i: number) => string) => `${type}(${parts.map(line).join(', ')})`;
  return `
fn partial(at: u32) -> f32 { return bitcast<f32>(work[at]); }
fn combined(first: u32, step: u32, splits: u32, d: u32, head: u32) -> ${type} {
  var most = ${lowest};
  var sum = 0f;
  var o = ${type}(0);
  for (var split = 0u; split < splits; split++) {
    let at = first + split * step;
    let next = partial(at);
    if (next == ${lowest}) { continue; }
    let own = ${make((_, i) => `partial(at + 2 + d + ${i})`)};
    if (most == ${lowest}) {
      most = next;
      sum = partial(at + 1);
      o = own;
    } else {
      let larger = max(most, next);
      let a = exps(most - larger);
      let b = exps(next - larger);
      most = larger;
      sum = product(sum, a) + product(partial(at + 1), b);
      o = ${make(part => `product(o${part}, a) + product(own${part}, b)`)};
    }
  }
  var ofSum = 1f;
  if (p.${prefix}sunk != 0) {
    let sink = partial(p.${prefix}sinks + head);
    let larger = max(most, sink);
    ofSum = exps(most - larger);
    sum = product(sum, ofSum) + exps(sink - larger);
  }
  let factor = divide(ofSum, sum);
  return ${make(part => `kept(o${part} * factor)`)};
}
`;
}

/** A workgroup is a row and a head. */
export const attentionCombine = defineKernel({
  name: 'attentionCombine',
  params: {
    ...{ rows: 'u32', count: 'u32', out: 'u32', outStride: 'u32', scratch: 'u32', headDim: 'u32' },
    /** Whether heads have sinks, and where these are. */
    ...{ sunk: 'u32', sinks: 'u32' },
  },
  work: 'f32',
  workgroup: 64,
  declarations: exactArithmetic() + mathOf(1) + combinedOf(1),
  main: `
  let row = p.rows + group.x * ${combineWords};
  let slotWords = groups.y * (p.headDim + 2);
  let first = p.scratch + tables[row + 1] * slotWords + group.y * (p.headDim + 2);
  let out = p.out + tables[row] * p.outStride + group.y * p.headDim;
  for (var d = lane; d < p.headDim; d += 64) {
    work[out + d] = combined(first, tables[row + 2] * slotWords, tables[row + 3], d, group.y);
  }`,
});
