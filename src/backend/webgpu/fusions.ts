/** Finds in a step's dispatches those that one kernel can do together. */
import type { Dispatch, Fuse } from './dispatch.ts';
import { combineQuantize } from './fused/combine-quantize.ts';
import { gateQuantize } from './fused/gate-quantize.ts';
import { normQuantize } from './fused/norm-quantize.ts';
import { productGate } from './fused/product-gate.ts';
import { quantizeProduct } from './fused/quantize-product.ts';
import { ropeStore } from './fused/rope-store.ts';

import type { Kernel } from './kernel.ts';

/** By the first kernel, or its family. */
const fusions = Map.groupBy(
  [...normQuantize, ...gateQuantize, ...combineQuantize, ...ropeStore, ...productGate, ...quantizeProduct],
  ({ kernels }) => kernels[0]!,
);

export const fused: Fuse = (dispatches, workgroupBytes) => {
  const fewer: Dispatch[] = [];
  for (let i = 0; i < dispatches.length; ) {
    const found = fusedAt(dispatches, i, workgroupBytes);
    fewer.push(found ?? dispatches[i]!);
    i += found?.parts?.length ?? 1;
  }
  return fewer;
};

function fusedAt(dispatches: readonly Dispatch[], first: number, workgroupBytes: number): Dispatch | undefined {
  const { kernel } = dispatches[first]!;
  for (const { kernels, fuse } of fusions.get(kernel.family ?? kernel) ?? []) {
    if (!kernels.every((wanted, i) => isOf(wanted, dispatches[first + i]?.kernel))) continue;
    const next = first + kernels.length;
    const dispatch = fuse(dispatches.slice(first, next), { next: dispatches[next], workgroupBytes });
    if (dispatch) return dispatch;
  }
  return;
}

const isOf = (wanted: Kernel | string, kernel: Kernel | undefined): boolean =>
  wanted === kernel || (kernel?.family !== undefined && wanted === kernel.family);
