import type { DeltaShape, StateShape } from '../backend/backend.ts';
import { most } from './config.ts';
import { type ConvolvedSizes, convolvedSizes, convolvedState } from './convolution.ts';
import type { LoadPart } from './hybrid.ts';
import type { Keys } from './keys.ts';
import { addProduct } from './layers.ts';
import type { Loading } from './loading.ts';
import { once } from './once.ts';
import { project } from './project.ts';

/** Sizes of a gated delta net. */
type DeltaSizes = ConvolvedSizes & Pick<DeltaShape, 'keyHeads' | 'keyDim' | 'valueHeads' | 'valueDim'>;

/** As far as there are kernels. */
const headMultiple = 16;
const mostHeadWidth = 256;

function readSizes(keys: Keys): DeltaSizes {
  const keyHeads = keys.size('ssm.group_count', most.heads);
  const valueHeads = keys.size('ssm.time_step_rank', most.heads);
  const size = keys.size('ssm.state_size', mostHeadWidth);
  if (size % headMultiple !== 0) keys.fail('ssm.state_size', `is ${size}, which must be a multiple of ${headMultiple}`);
  if (valueHeads % keyHeads !== 0)
    keys.fail('ssm.time_step_rank', `is ${valueHeads}, no multiple of the ${keyHeads} heads of keys`);
  const values = keys.size('ssm.inner_size', most.heads * most.headDim);
  if (values !== valueHeads * size)
    keys.fail('ssm.inner_size', `is ${values}; ${valueHeads} heads of ${size} have ${valueHeads * size} values`);
  // Queries, keys and values.
  const convolved = convolvedSizes(keys, 2 * keyHeads * size + values);
  return { keyHeads, valueHeads, keyDim: size, valueDim: size, ...convolved };
}

export function deltaState(keys: Keys): StateShape {
  const sizes = readSizes(keys);
  return convolvedState(keys, sizes, sizes.valueHeads * sizes.keyDim * sizes.valueDim);
}

export interface DeltaNetOptions {
  /**
   * Whether neighbouring heads of values share one of keys; then one matrix has, for each head of keys, the rows of beta and of
   * alpha for its heads of values.
   */
  readonly grouped?: boolean;
}

/**
 * Gated delta nets: queries, keys and values are convolved and go through the delta rule; what comes out is normalised head by head
 * and gated. arXiv:2412.06464
 */
export function deltaNet(loading: Loading, { grouped = false }: DeltaNetOptions = {}): LoadPart {
  const { backend, keys, config, options, tensors } = loading;
  const { taps, columns, window, ...sizes } = readSizes(keys);
  const { valueHeads, valueDim } = sizes;
  const { width, epsilon } = config;
  const values = valueHeads * valueDim;
  const shape = { ...sizes, grouped, epsilon, at: window };
  const buffer = (columns: number) => backend.buffer(options.maxBatchTokens, columns);
  const work = once(() => ({
    ...{ projected: buffer(columns), qkv: buffer(columns), mixed: buffer(values), gate: buffer(values) },
    ...{ alpha: buffer(valueHeads), beta: buffer(valueHeads) },
  }));
  const gateOf = (name: 'alpha' | 'beta', prefix: string) => {
    if (!grouped) return tensors.linear(`${prefix}.ssm_${name}`, valueHeads, width);
    const run = valueHeads / sizes.keyHeads;
    const range = { first: name === 'beta' ? 0 : run, count: valueHeads, run, step: 2 * run };
    return tensors.linear(`${prefix}.ssm_ba`, 2 * valueHeads, width, range);
  };
  return async prefix => {
    const projection = await tensors.linear(`${prefix}.attn_qkv`, columns, width);
    const gateWeights = await tensors.linear(`${prefix}.attn_gate`, values, width);
    const { projected, qkv, mixed, gate, alpha, beta } = work();
    const products = [
      { out: projected, ...projection },
      { out: gate, ...gateWeights },
      { out: alpha, ...(await gateOf('alpha', prefix)) },
      { out: beta, ...(await gateOf('beta', prefix)) },
    ];
    const kernel = await tensors.kernel(`${prefix}.ssm_conv1d.weight`, taps, columns);
    const decay = await tensors.vector(`${prefix}.ssm_a`, valueHeads);
    const shift = await tensors.vector(`${prefix}.ssm_dt.bias`, valueHeads);
    const norm = await tensors.vector(`${prefix}.ssm_norm.weight`, valueDim);
    const output = await tensors.linear(`${prefix}.ssm_out`, width, values);
    return (step, layer) => {
      const { work, cache, batch } = step;
      project(step, products, work.normed);
      backend.convolve(qkv, projected, kernel, cache, layer, batch, { taps, activation: 'silu' });
      backend.deltaRule(mixed, { qkv, alpha, beta, decay, shift }, cache, layer, batch, shape);
      backend.rmsNorm(mixed, mixed, norm, epsilon, batch.tokens);
      backend.gate(gate, gate, mixed, 'silu', batch.tokens);
      addProduct(step, output, gate);
    };
  };
}
