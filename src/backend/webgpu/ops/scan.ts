/** The state space step of Mamba-2, arXiv:2405.21060: see head-states.ts. */
import type { ScanShape } from '../../backend.ts';
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
  tokensAtOnce,
} from './head-states.ts';

const kernelOf = (shape: HeadShape) =>
  defineKernel({
    name: `scan over ${shape.rows}`,
    params: {
      ...headParams,
      ...{ xbc: 'u32', stride: 'u32', out: 'u32', outStride: 'u32', heads: 'u32', groups: 'u32' },
      ...{ dt: 'u32', dtStride: 'u32', decay: 'u32', shift: 'u32', skip: 'u32' },
    },
    work: 'f32',
    bindings: headBindings,
    workgroup: lanes,
    declarations: `${exactArithmetic()}${activations}${softplus}${headCode(shape)}`,
    main: headMain(shape, bring(shape), step(shape)),
  });

/** B, then C. */
const bring = ({ rows }: HeadShape): string => `
    let ofGroup = p.heads * p.headColumns + head * p.groups / p.heads * ${rows};
    for (var n = lane; n < ${2 * tokensAtOnce * rows}; n += ${lanes}) {
      let token = row + min(n / ${rows} % ${tokensAtOnce}, tokens - 1);
      let first = ofGroup + n / ${tokensAtOnce * rows} * p.groups * ${rows};
      vectors[n] = work[p.xbc + token * p.stride + first + n % ${rows}];
    }
    if (lane < tokens) {
      let rate = softplus(work[p.dt + (row + lane) * p.dtStride + head] + work[p.shift + head]);
      rates[lane] = rate;
      keeps[lane] = exps(product(work[p.decay + head], rate));
    }`;

const step = (shape: HeadShape): string => `
      let token = row + t;
      let x = work[p.xbc + token * p.stride + head * p.headColumns + column];
      let keep = keeps[t];
      let change = product(x, rates[t]);
${changeState(shape)}
      work[p.out + token * p.outStride + head * p.headColumns + column] = sum + product(work[p.skip + head], x);`;

const kernels = new Map<string, ReturnType<typeof kernelOf>>();

function kernelFor(shape: HeadShape) {
  const key = `${shape.rows} ${shape.columns}`;
  const kernel = kernels.get(key) ?? kernelOf(shape);
  kernels.set(key, kernel);
  return kernel;
}

export interface GpuScan {
  readonly xbc: GpuWorkBuffer;
  readonly dt: GpuWorkBuffer;
  readonly decay: GpuVector;
  readonly shift: GpuVector;
  readonly skip: GpuVector;
}

/** `segments`: the step's words of segments. */
export function scan(
  { recorder, device }: Context,
  out: GpuWorkBuffer,
  { xbc, dt, decay, shift, skip }: GpuScan,
  { stateSize, buffer }: StateLayer,
  segments: Uint32Array,
  { heads, headDim, groups, stateDim, at = 0 }: ScanShape,
): void {
  const shape = headShape(stateDim, device.limits.maxComputeWorkgroupStorageSize);
  const values = {
    ...{ segments: recorder.table(segments), headColumns: headDim, stateSize, at },
    ...{ xbc: xbc.at, stride: xbc.stride, out: out.at, outStride: out.stride, heads, groups },
    ...{ dt: dt.at, dtStride: dt.stride, decay: decay.at, shift: shift.at, skip: skip.at },
  };
  const workgroups = [heads, Math.ceil(headDim / shape.columns), segments.length / segmentWords] as const;
  recorder.record(kernelFor(shape), workgroups, values, [buffer]);
}
