/** Finds in a step's dispatches those that one kernel can do together. */
import type { Dispatch } from './dispatch.ts';
import { combineQuantize } from './fused/combine-quantize.ts';
import { gateQuantize } from './fused/gate-quantize.ts';
import { normQuantize } from './fused/norm-quantize.ts';
import { ropeStore } from './fused/rope-store.ts';

/** By the first kernel. */
const fusions = Map.groupBy(
  [...normQuantize, ...gateQuantize, ...combineQuantize, ...ropeStore],
  ({ kernels }) => kernels[0]!,
);

/** The same work in fewer dispatches. */
export function fused(dispatches: readonly Dispatch[]): readonly Dispatch[] {
  const fewer: Dispatch[] = [];
  for (let i = 0; i < dispatches.length; ) {
    const found = fusedAt(dispatches, i);
    fewer.push(found ?? dispatches[i]!);
    i += found?.parts?.length ?? 1;
  }
  return fewer;
}

function fusedAt(dispatches: readonly Dispatch[], first: number): Dispatch | undefined {
  for (const { kernels, fuse } of fusions.get(dispatches[first]!.kernel) ?? []) {
    if (!kernels.every((kernel, i) => dispatches[first + i]?.kernel === kernel)) continue;
    const dispatch = fuse(dispatches.slice(first, first + kernels.length));
    if (dispatch) return dispatch;
  }
  return;
}
