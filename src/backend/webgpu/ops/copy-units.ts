/** Copies of pages or slots within a layer's buffer. */
import type { Context } from '../context.ts';
import { defineKernel } from '../kernel.ts';

const kernel = defineKernel({
  name: 'copyUnits',
  /** `pairs`: where the pairs of numbers begin; `words` of a unit. */
  params: { pairs: 'u32', words: 'u32' },
  bindings: [{ name: 'units', type: 'array<u32>', access: 'read_write' }],
  workgroup: 256,
  main: `
  let pair = p.pairs + 2 * group.y;
  for (var i = group.x * 256 + lane; i < p.words; i += groups.x * 256) {
    units[tables[pair + 1] * p.words + i] = units[tables[pair] * p.words + i];
  }`,
});

/** Workgroups of a unit, at most. */
const mostGroups = 1 << 12;

/** Copies unit pairs[2 * i] to unit pairs[2 * i + 1], all at once: none is the target of one and in another. */
export function copyUnits({ recorder }: Context, buffer: GPUBuffer, words: number, pairs: Int32Array): void {
  const groups = Math.min(mostGroups, Math.ceil(words / 256));
  recorder.record(kernel, [groups, pairs.length / 2], { pairs: recorder.table(pairs), words }, [buffer]);
}

/** The pairs cut where one of them needs what another before it did, or would spoil it. */
export function independent(pairs: Int32Array): Int32Array[] {
  const runs: Int32Array[] = [];
  const [read, written] = [new Set<number>(), new Set<number>()];
  let start = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const [from, to] = [pairs[i]!, pairs[i + 1]!];
    if (written.has(from) || written.has(to) || read.has(to)) {
      runs.push(pairs.subarray(start, i));
      start = i;
      read.clear();
      written.clear();
    }
    read.add(from);
    written.add(to);
  }
  runs.push(pairs.subarray(start));
  return runs;
}
