/** Queries and keys are rotated, where a model has norms of heads behind these, and keys and values go to their pages. */

import type { CacheType } from '../../backend.ts';
import { type Dispatch, type Fusion, paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { foldedSumVariables } from '../folded-sum.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { inverseRms, narrowNorm } from '../ops/rms-norm.ts';
import { ropeKernel, rotated } from '../ops/rope.ts';
import { storeCode, storeKernels } from '../ops/store-kv.ts';

/** A workgroup is a head of a row; one of keys has those of all rows that it writes a word for. */
function kernelOf(type: CacheType, normed: boolean): Kernel {
  const store = storeKernels[type];
  const lanes = store.workgroup;
  const norms = normed ? { qNorm: narrowNorm, kNorm: narrowNorm } : {};
  return defineKernel({
    ...{ name: `${normed ? 'rmsNorm, ' : ''}rope, ${store.name}`, bindings: store.bindings!, workgroup: lanes },
    params: paramsOf({ ...norms, q: ropeKernel, k: ropeKernel, store }),
    ...{ work: 'f32', tables: 'u32' },
    declarations: [
      exactArithmetic(),
      normed ? foldedSumVariables + inverseRms(lanes) + normHead(lanes) : '',
      rotated,
      turnHead(lanes),
      storeCode(type, 'store_'),
    ].join('\n'),
    main: `
  if (group.x < p.q_heads) {
    let at = p.q_x + group.y * p.q_stride + group.x * p.q_headDim;
    ${normed ? 'normHead(at, p.qNorm_weight, p.qNorm_epsilon, lane);' : ''}
    turnHead(at, group.y, lane);
    return;
  }
  let head = group.x - p.q_heads;
  let count = tables[p.store_places + 2 * group.y + 1];
  for (var i = 0u; i < count; i++) {
    let at = p.k_x + (group.y + i) * p.k_stride + head * p.q_headDim;
    ${normed ? 'normHead(at, p.kNorm_weight, p.kNorm_epsilon, lane);' : ''}
    turnHead(at, group.y + i, lane);
  }
  storageBarrier();
  for (var d = 0u; d < p.q_headDim; d += ${lanes}) { store(group.y, head * p.q_headDim + d + lane, lane); }`,
  });
}

const normHead = (lanes: number): string => `
fn normHead(at: u32, weight: u32, epsilon: f32, lane: u32) {
  let r = inverseRms(at, p.q_headDim, 0.0, epsilon, lane);
  for (var i = lane; i < p.q_headDim; i += ${lanes}) { work[at + i] = product(work[at + i], r) * work[weight + i]; }
  storageBarrier();
}`;

const turnHead = (lanes: number): string => `
fn turnHead(at: u32, row: u32, lane: u32) {
  for (var pair = lane; pair < p.q_pairs; pair += ${lanes}) {
    let rotation = p.q_rotations + 2 * (row * p.q_pairs + pair);
    let a = at + pair * p.q_pairStep;
    let b = a + p.q_partner;
    let turned = rotated(work[a], work[b], bitcast<f32>(tables[rotation]), bitcast<f32>(tables[rotation + 1]));
    work[a] = turned.x;
    work[b] = turned.y;
  }
}`;

const alike = ['headDim', 'rotations', 'pairs', 'pairStep', 'partner'] as const;

/** Queries and keys of the same rows, turned alike; the keys are those that are stored. */
function followEachOther(q: Dispatch, k: Dispatch, store: Dispatch): boolean {
  const [a, b, c] = [q.params, k.params, store.params];
  const rows = q.groups[1] === store.groups[1] && k.groups[1] === store.groups[1];
  const keys = b.x === c.k && b.stride === c.kStride && b.heads! * b.headDim! === c.columns && b.headDim === c.headDim;
  return rows && keys && alike.every(name => a[name] === b[name]);
}

/** A norm in place of the heads that are turned then, of one weight for all. */
const norms = ({ params, groups }: Dispatch, rope: Dispatch): boolean =>
  params.x === params.out &&
  params.weights === 1 &&
  params.x === rope.params.x &&
  params.xStride === rope.params.stride &&
  params.columns === rope.params.headDim &&
  groups[0] === rope.params.heads &&
  groups[1] === rope.groups[1];

export const ropeStore = (['F16', 'Q8_0'] as const).flatMap((type): Fusion[] => {
  const store = storeKernels[type];
  const fusion = (normed: boolean): Fusion => {
    const kernel = kernelOf(type, normed);
    const before = normed ? [narrowNorm, narrowNorm] : [];
    return {
      kernels: [...before, ropeKernel, ropeKernel, store],
      fuse: parts => {
        const [q, k, stored] = parts.slice(before.length) as [Dispatch, Dispatch, Dispatch];
        if (!followEachOther(q, k, stored)) return;
        if (normed && !(norms(parts[0]!, q) && norms(parts[1]!, k))) return;
        const heads = q.params.heads! + k.params.heads!;
        return { kernel, groups: [heads, stored.groups[1]!], params: {}, buffers: stored.buffers, parts };
      },
    };
  };
  return [fusion(false), fusion(true)];
});
