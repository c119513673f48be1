/** Gives each choice of each token a slot, those of one expert beside each other, in the order of the tokens. */
import type { Context } from '../context.ts';
import type { GpuRouting } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { mostExperts } from './route.ts';

const lanes = 256;
/** Choices that are in workgroup memory at once. */
const tile = 1024;

/** Does something with every choice, in each expert's lane with those of the expert, ascending. */
const eachOwn = (body: string): string => `
  for (var start = 0u; start < p.choices; start += ${tile}u) {
    let count = min(${tile}u, p.choices - start);
    workgroupBarrier();
    for (var i = lane; i < count; i += ${lanes}u) { choices[i] = work[p.chosen + start + i]; }
    workgroupBarrier();
    for (var e = lane; e < p.experts; e += ${lanes}u) {
      var slot = next[e];
      for (var i = 0u; i < count; i++) {
        if (choices[i] == e) {${body}
          slot += 1u;
        }
      }
      next[e] = slot;
    }
  }`;

const kernel = defineKernel({
  name: 'assign',
  params: {
    ...{ choices: 'u32', topK: 'u32', experts: 'u32' },
    ...{ chosen: 'u32', slotOf: 'u32', tokenOf: 'u32', starts: 'u32' },
  },
  workgroup: lanes,
  declarations: `
var<workgroup> choices: array<u32, ${tile}>;
/** Each expert's choices, then its next slot. */
var<workgroup> next: array<u32, ${mostExperts}>;
`,
  main: `
  for (var e = lane; e < p.experts; e += ${lanes}u) { next[e] = 0u; }
  ${eachOwn('')}
  workgroupBarrier();
  if (lane == 0u) {
    var slot = 0u;
    for (var e = 0u; e < p.experts; e++) {
      work[p.starts + e] = slot;
      let own = next[e];
      next[e] = slot;
      slot += own;
    }
    work[p.starts + p.experts] = slot;
  }
  ${eachOwn(`
          work[p.slotOf + start + i] = slot;
          work[p.tokenOf + slot] = (start + i) / p.topK;`)}`,
});

export function assign({ recorder }: Context, routing: GpuRouting, rows: number): void {
  const { experts, topK, chosen, slotOf, tokenOf, starts } = routing;
  recorder.record(kernel, [rows > 0 ? 1 : 0], {
    ...{ choices: rows * topK, topK, experts, chosen, slotOf, tokenOf, starts },
  });
}
