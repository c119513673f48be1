import type { ScanShape, StateShape } from '../backend/backend.ts';
import { most } from './config.ts';
import { type ConvolvedSizes, convolvedSizes, convolvedState } from './convolution.ts';
import type { LoadPart } from './hybrid.ts';
import type { Keys } from './keys.ts';
import { addProduct } from './layers.ts';
import type { Loading } from './loading.ts';
import { once } from './once.ts';
import { project } from './project.ts';

/** Sizes of a state space layer. */
interface ScanSizes extends ConvolvedSizes, Pick<ScanShape, 'heads' | 'headDim' | 'groups' | 'stateDim'> {
  /** Values of all heads. */
  readonly inner: number;
}

/** As far as there are kernels. */
const sizeMultiple = 8;
const mostStateDim = 1024;

function readSizes(keys: Keys): ScanSizes {
  const heads = keys.size('ssm.time_step_rank', most.heads);
  const groups = keys.size('ssm.group_count', heads);
  if (heads % groups !== 0) keys.fail('ssm.group_count', `is ${groups}, which does not divide ${heads} heads`);
  const stateDim = multiple(keys, 'ssm.state_size', keys.size('ssm.state_size', mostStateDim));
  const inner = keys.size('ssm.inner_size', most.heads * most.headDim);
  if (inner % heads !== 0) keys.fail('ssm.inner_size', `is ${inner}, no multiple of the ${heads} heads`);
  const headDim = multiple(keys, 'ssm.inner_size', inner / heads);
  // x, and B and C of each group.
  const convolved = convolvedSizes(keys, inner + 2 * groups * stateDim);
  return { heads, groups, stateDim, inner, headDim, ...convolved };
}

function multiple(keys: Keys, key: string, size: number): number {
  return size % sizeMultiple === 0
    ? size
    : keys.fail(key, `makes heads whose states have a side of ${size}, which must be a multiple of ${sizeMultiple}`);
}

export function scanState(keys: Keys): StateShape {
  const sizes = readSizes(keys);
  return convolvedState(keys, sizes, sizes.inner * sizes.stateDim);
}

/**
 * Mamba-2: one projection gives the gate, what is convolved and how fast each head forgets; the state space step's output is gated
 * and normalised group by group. `scale`: a factor on what the layer adds to the stream. arXiv:2405.21060
 */
export function mamba2(loading: Loading, scale?: number): LoadPart {
  const { backend, keys, config, options, tensors } = loading;
  const { taps, inner, columns, window, ...sizes } = readSizes(keys);
  const { heads, groups } = sizes;
  const { width, epsilon } = config;
  const shape = { ...sizes, at: window };
  const buffer = (columns: number) => backend.buffer(options.maxBatchTokens, columns);
  const work = once(() => ({
    ...{ projected: buffer(columns), xbc: buffer(columns), dt: buffer(heads) },
    ...{ gate: buffer(inner), mixed: buffer(inner) },
  }));
  return async prefix => {
    const part = (first: number, count: number) =>
      tensors.linear(`${prefix}.ssm_in`, inner + columns + heads, width, { first, count });
    const parts = [await part(0, inner), await part(inner, columns), await part(inner + columns, heads)] as const;
    const { gate, projected, xbc, dt, mixed } = work();
    const products = [
      { out: gate, ...parts[0] },
      { out: projected, ...parts[1] },
      { out: dt, ...parts[2] },
    ];
    const kernel = await tensors.kernel(`${prefix}.ssm_conv1d.weight`, taps, columns);
    const bias = await tensors.maybeVector(`${prefix}.ssm_conv1d.bias`, columns);
    const decay = await tensors.vector(`${prefix}.ssm_a`, 1, heads);
    const shift = await tensors.vector(`${prefix}.ssm_dt.bias`, heads);
    const skip = await tensors.vector(`${prefix}.ssm_d`, 1, heads);
    const norm = await tensors.vector(`${prefix}.ssm_norm.weight`, inner / groups, groups);
    const output = await tensors.linear(`${prefix}.ssm_out`, width, inner);
    return (step, layer) => {
      const { work, cache, batch } = step;
      project(step, products, work.normed);
      backend.convolve(xbc, projected, kernel, cache, layer, batch, { taps, bias, activation: 'silu' });
      backend.scan(mixed, { xbc, dt, decay, shift, skip }, cache, layer, batch, shape);
      backend.gate(gate, gate, mixed, 'silu', batch.tokens);
      backend.rmsNorm(gate, gate, norm, epsilon, batch.tokens, groups);
      addProduct(step, output, gate, scale);
    };
  };
}
