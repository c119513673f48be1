/** The gated delta rule, arXiv:2412.06464: see head-states.ts. */
import type { DeltaShape } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import type { GpuVector, GpuWorkBuffer, StateLayer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';
import { segmentWords } from '../segment-words.ts';
import { activations, softplus } from './activation.ts';
import {
  changeState,
  type HeadShape,
  headBindings,
  headCode,
  headMain,
  headParams,
  headShape,
  lanes,
  sumKnown,
  tokensAtOnce,
} from './head-states.ts';

const kernelOf = (shape: HeadShape) =>
  defineKernel({
    name: `deltaRule over ${shape.rows}`,
    params: {
      ...headParams,
      ...{ qkv: 'u32', stride: 'u32', out: 'u32', outStride: 'u32' },
      ...{ alpha: 'u32', beta: 'u32', gateStride: 'u32', decay: 'u32', shift: 'u32' },
      /** How many neighbouring heads share one of the keys'. */
      ...{ keyHeads: 'u32', sharing: 'u32' },
      /** `scale`: f32(1 / sqrt(rows)). */
      ...{ epsilon: 'f32', scale: 'f32' },
    },
    work: 'f32',
    bindings: headBindings,
    workgroup: lanes,
    declarations: `${exactArithmetic()}${activations}${softplus}${headCode(shape)}
// [2][tokens][16]
var<workgroup> partials: array<f32, ${lanes}>;
// [2][tokens]
var<workgroup> inverses: array<f32, ${2 * tokensAtOnce}>;
fn folded(first: u32) -> f32 {
  var sums: array<f32, 16>;
  for (var i = 0u; i < 16; i++) { sums[i] = partials[first + i]; }
  for (var half = 8u; half > 0u; half /= 2u) {
    for (var j = 0u; j < half; j++) { sums[j] = sums[j] + sums[j + half]; }
  }
  return sums[0];
}`,
    main: headMain(shape, bring(shape), step(shape)),
  });

/** Keys, then queries, both of length 1; these are scaled. */
const bring = ({ rows }: HeadShape): string => `
    let keyHead = head / p.sharing % p.keyHeads;
    for (var n = lane; n < ${2 * tokensAtOnce * rows}; n += ${lanes}) {
      let token = row + min(n / ${rows} % ${tokensAtOnce}, tokens - 1);
      let first = select(keyHead, p.keyHeads + keyHead, n < ${tokensAtOnce * rows}) * ${rows};
      vectors[n] = work[p.qkv + token * p.stride + first + n % ${rows}];
    }
    workgroupBarrier();
    var partial = 0.0;
    for (var i = lane % 16; i < ${rows}; i += 16) {
      let x = vectors[lane / 16 * ${rows} + i];
      partial += product(x, x);
    }
    partials[lane] = partial;
    workgroupBarrier();
    if (lane < ${2 * tokensAtOnce}) { inverses[lane] = divide(1, root(folded(lane * 16) + p.epsilon)); }
    if (lane >= 64 && lane - 64 < tokens) {
      let gates = (row + lane - 64) * p.gateStride + head;
      let passed = softplus(work[p.alpha + gates] + work[p.shift + head]);
      keeps[lane - 64] = exps(product(work[p.decay + head], passed));
      rates[lane - 64] = sigmoid(work[p.beta + gates]);
    }
    workgroupBarrier();
    for (var n = lane; n < ${2 * tokensAtOnce * rows}; n += ${lanes}) {
      let unit = product(vectors[n], inverses[n / ${rows}]);
      vectors[n] = select(product(unit, p.scale), unit, n < ${tokensAtOnce * rows});
    }`;

const step = (shape: HeadShape): string => `
      let token = row + t;
      let value = work[p.qkv + token * p.stride + 2 * p.keyHeads * ${shape.rows} + head * p.headColumns + column];
      let keep = keeps[t];
${sumKnown(shape)}
      let change = kept((value - product(known, keep)) * rates[t]);
${changeState(shape)}
      work[p.out + token * p.outStride + head * p.headColumns + column] = sum;`;

const kernels = new Map<string, ReturnType<typeof kernelOf>>();

function kernelFor(shape: HeadShape) {
  const key = `${shape.rows} ${shape.columns}`;
  const kernel = kernels.get(key) ?? kernelOf(shape);
  kernels.set(key, kernel);
  return kernel;
}

export interface GpuDelta {
  readonly qkv: GpuWorkBuffer;
  readonly alpha: GpuWorkBuffer;
  readonly beta: GpuWorkBuffer;
  readonly decay: GpuVector;
  readonly shift: GpuVector;
}

/** `segments`: the step's words of segments. */
export function deltaRule(
  { recorder, device }: Context,
  out: GpuWorkBuffer,
  { qkv, alpha, beta, decay, shift }: GpuDelta,
  { stateSize, buffer }: StateLayer,
  segments: Uint32Array,
  { keyHeads, keyDim, valueHeads, valueDim, grouped, epsilon, at = 0 }: DeltaShape,
): void {
  const shape = headShape(keyDim, device.limits.maxComputeWorkgroupStorageSize);
  const values = {
    ...{ segments: recorder.table(segments), headColumns: valueDim, stateSize, at },
    ...{ qkv: qkv.at, stride: qkv.stride, out: out.at, outStride: out.stride },
    ...{ alpha: alpha.at, beta: beta.at, gateStride: alpha.stride, decay: decay.at, shift: shift.at },
    ...{ keyHeads, sharing: grouped ? valueHeads / keyHeads : 1 },
    ...{ epsilon, scale: 1 / Math.fround(Math.sqrt(keyDim)) },
  };
  const groups = [valueHeads, Math.ceil(valueDim / shape.columns), segments.length / segmentWords] as const;
  recorder.record(kernelFor(shape), groups, values, [buffer]);
}
