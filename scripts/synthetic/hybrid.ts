/** Layers that mix tokens by something with a state, and by attention only now and then: LFM2, Qwen 3.5. */

import type { MetaValue } from './gguf-writer.ts';
import { narrowExperts, u32 } from './metadata.ts';
import type { Part, Recipe } from './recipe.ts';
import type { Shape } from './shapes.ts';

/** Attention in every so many layers; in one at least. */
const interval = (shape: Shape, every: number): number => shape.interval ?? Math.min(every, shape.layers);
export const attends = (shape: Shape, layer: number, every: number): boolean =>
  (layer + 1) % interval(shape, every) === 0;

/** Names below a prefix. */
export const under = (prefix: string) => ({
  matrix: (name: string, from: number, to: number): Part => ({
    name: `${prefix}${name}.weight`,
    shape: [from, to],
    kind: 'matrix',
  }),
  norm: (name: string, size: number): Part => ({ name: `${prefix}${name}.weight`, shape: [size], kind: 'norm' }),
  kernel: (name: string, taps: number, columns: number): Part => ({
    name: `${prefix}${name}.weight`,
    shape: [taps, columns],
    kind: 'kernel',
  }),
});

/** Queries, keys and values with norms over their heads; `gates`: each head's queries are followed by its output's gate. */
function attention(shape: Shape, prefix: string, gates = 1): Part[] {
  const { width, heads, kvHeads, headWidth = width / heads } = shape;
  const { matrix, norm } = under(prefix);
  return [
    matrix('attn_q', width, gates * heads * headWidth),
    matrix('attn_k', width, kvHeads * headWidth),
    matrix('attn_v', width, kvHeads * headWidth),
    matrix('attn_output', heads * headWidth, width),
    norm('attn_q_norm', headWidth),
    norm('attn_k_norm', headWidth),
  ];
}

const lfm2Metadata = (shape: Shape): Record<string, MetaValue> => ({
  'attention.head_count_kv': {
    array: 'i32',
    values: Array.from({ length: shape.layers }, (_, layer) => (attends(shape, layer, 3) ? shape.kvHeads : 0)),
  },
  'shortconv.l_cache': u32(shape.taps ?? 3),
});

function lfm2Mixer(shape: Shape, layer: number, prefix: string): Part[] {
  if (attends(shape, layer, 3)) return attention(shape, prefix);
  const { width, taps = 3 } = shape;
  const { matrix, kernel } = under(prefix);
  return [
    matrix('shortconv.in_proj', width, 3 * width),
    kernel('shortconv.conv', taps, width),
    matrix('shortconv.out_proj', width, width),
  ];
}

/** Sizes of the delta rule's heads. */
function delta({ keyHeads = 2, valueHeads = 4, stateWidth = 32, taps = 4 }: Shape) {
  const [keys, values] = [keyHeads * stateWidth, valueHeads * stateWidth];
  return { keyHeads, valueHeads, stateWidth, taps, values, columns: 2 * keys + values };
}

function qwen35Metadata(shape: Shape): Record<string, MetaValue> {
  const { keyHeads, valueHeads, stateWidth, taps, values } = delta(shape);
  const { width, heads, headWidth = width / heads, layers, predicting = 0 } = shape;
  const dimensions = headWidth / 4;
  return {
    block_count: u32(layers + predicting),
    ...(predicting && { nextn_predict_layers: u32(predicting) }),
    full_attention_interval: u32(interval(shape, 4)),
    'ssm.conv_kernel': u32(taps),
    'ssm.state_size': u32(stateWidth),
    'ssm.group_count': u32(keyHeads),
    'ssm.time_step_rank': u32(valueHeads),
    'ssm.inner_size': u32(values),
    'rope.dimension_count': u32(dimensions),
    'rope.dimension_sections': { array: 'i32', values: sections(dimensions / 2) },
  };
}

/** How many pairs turn with time, height and width: [11, 11, 10, 0] of 32. */
const sections = (pairs: number): number[] => [...[2, 1, 0].map(i => Math.floor((pairs + i) / 3)), 0];

/** Neighbouring heads of values share one of keys, and their alphas and betas lie in one matrix. */
function qwen3nextMixer(shape: Shape, layer: number, prefix: string): Part[] {
  const { valueHeads } = delta(shape);
  return qwen35Mixer(shape, layer, prefix).flatMap(part => {
    if (part.name.includes('ssm_beta')) return [];
    return part.name.includes('ssm_alpha')
      ? [{ ...part, name: `${prefix}ssm_ba.weight`, shape: [shape.width, 2 * valueHeads] }]
      : [part];
  });
}

function qwen35Mixer(shape: Shape, layer: number, prefix: string): Part[] {
  if (layer >= shape.layers || attends(shape, layer, 4)) return attention(shape, prefix, 2);
  const { width } = shape;
  const { valueHeads, stateWidth, taps, values, columns } = delta(shape);
  const { matrix, norm, kernel } = under(prefix);
  return [
    matrix('attn_qkv', width, columns),
    matrix('attn_gate', width, values),
    kernel('ssm_conv1d', taps, columns),
    { name: `${prefix}ssm_dt.bias`, shape: [valueHeads], kind: 'bias' },
    { name: `${prefix}ssm_a`, shape: [valueHeads], kind: 'decay' },
    matrix('ssm_beta', width, valueHeads),
    matrix('ssm_alpha', width, valueHeads),
    norm('ssm_norm', stateWidth),
    matrix('ssm_out', values, width),
  ];
}

/** What a block has that predicts the token after the next (nextn), beside a layer's own. */
export function predictor({ width }: Shape, prefix: string): Part[] {
  const { matrix, norm } = under(prefix);
  const norms = ['enorm', 'hnorm', 'shared_head_norm'].map(name => norm(`nextn.${name}`, width));
  return [matrix('nextn.eh_proj', 2 * width, width), ...norms];
}

const sharedExperts = {
  ffnNorm: 'post_attention_norm',
  experts: true,
  shared: 'gated',
  extra: (shape: Shape) => ({
    ...qwen35Metadata(shape),
    ...narrowExperts(shape),
    expert_shared_feed_forward_length: u32(shape.ffn),
  }),
} as const;

export const hybridRecipes = {
  lfm2: { name: 'lfm2', mixer: lfm2Mixer, outputNorm: 'token_embd_norm', tied: true, extra: lfm2Metadata },
  lfm2moe: {
    name: 'lfm2moe',
    mixer: lfm2Mixer,
    outputNorm: 'token_embd_norm',
    experts: true,
    selectionBias: true,
    leadingDense: 1,
    extra: shape => ({
      ...lfm2Metadata(shape),
      ...narrowExperts(shape),
      leading_dense_block_count: u32(1),
      expert_gating_func: u32(2),
    }),
  },
  qwen35: { name: 'qwen35', mixer: qwen35Mixer, ffnNorm: 'post_attention_norm', extra: qwen35Metadata },
  qwen35moe: { ...sharedExperts, name: 'qwen35moe', mixer: qwen35Mixer },
  qwen3next: { ...sharedExperts, name: 'qwen3next', mixer: qwen3nextMixer },
} as const satisfies Record<string, Recipe>;
