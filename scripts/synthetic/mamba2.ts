/** Layers of Mamba-2, and attention only now and then: Nemotron-H, Granite 4. */

import type { MetaValue } from './gguf-writer.ts';
import { attends, under } from './hybrid.ts';
import { expertCounts, f32, graniteFactors, narrowExperts, u32 } from './metadata.ts';
import type { Part, Recipe } from './recipe.ts';
import type { Shape } from './shapes.ts';

/** Twice the width, as llama.cpp needs it for Granite; heads as wide as their states. */
function sizes({ width, keyHeads: groups = 2, stateWidth = 32, taps = 4 }: Shape) {
  const inner = 2 * width;
  return { inner, groups, stateWidth, taps, heads: inner / stateWidth, columns: inner + 2 * groups * stateWidth };
}

function scanMetadata(shape: Shape): Record<string, MetaValue> {
  const { inner, groups, stateWidth, taps, heads } = sizes(shape);
  return {
    'ssm.conv_kernel': u32(taps),
    'ssm.state_size': u32(stateWidth),
    'ssm.group_count': u32(groups),
    'ssm.time_step_rank': u32(heads),
    'ssm.inner_size': u32(inner),
  };
}

function mamba2({ width, ...shape }: Shape, prefix: string): Part[] {
  const { inner, groups, taps, heads, columns } = sizes({ width, ...shape });
  const { matrix, kernel } = under(prefix);
  return [
    matrix('ssm_in', width, inner + columns + heads),
    kernel('ssm_conv1d', taps, columns),
    { name: `${prefix}ssm_conv1d.bias`, shape: [columns], kind: 'bias' },
    { name: `${prefix}ssm_dt.bias`, shape: [heads], kind: 'bias' },
    { name: `${prefix}ssm_a`, shape: [1, heads], kind: 'decay' },
    { name: `${prefix}ssm_d`, shape: [1, heads], kind: 'norm' },
    { name: `${prefix}ssm_norm.weight`, shape: [inner / groups, groups], kind: 'norm' },
    matrix('ssm_out', inner, width),
  ];
}

function attention({ width, heads, kvHeads, headWidth = width / heads }: Shape, prefix: string): Part[] {
  const { matrix } = under(prefix);
  return [
    matrix('attn_q', width, heads * headWidth),
    matrix('attn_k', width, kvHeads * headWidth),
    matrix('attn_v', width, kvHeads * headWidth),
    matrix('attn_output', heads * headWidth, width),
  ];
}

const perLayer = ({ layers }: Shape, value: (layer: number) => number): MetaValue => ({
  array: 'i32',
  values: Array.from({ length: layers }, (_, layer) => value(layer)),
});

const graniteMetadata = (shape: Shape): Record<string, MetaValue> => ({
  ...scanMetadata(shape),
  ...graniteFactors(),
  'attention.head_count_kv': perLayer(shape, layer => (attends(shape, layer, 3) ? shape.kvHeads : 0)),
  'rope.scaling.finetuned': { type: 'bool', value: false },
});

const graniteMixer = (shape: Shape, layer: number, prefix: string): Part[] =>
  attends(shape, layer, 3) ? attention(shape, prefix) : mamba2(shape, prefix);

/** What a layer of Nemotron-H is: of four in turn, two scan, one attends and one is a feed-forward network. */
const kindOf = (layer: number) => (['states', 'feedForward', 'attention', 'states'] as const)[layer % 4];

const nemotronMetadata = (shape: Shape): Record<string, MetaValue> => ({
  ...scanMetadata(shape),
  'attention.layer_norm_epsilon': f32(1e-5),
  'attention.head_count_kv': perLayer(shape, layer => (kindOf(layer) === 'attention' ? shape.kvHeads : 0)),
  feed_forward_length: perLayer(shape, layer => (kindOf(layer) === 'feedForward' ? shape.ffn : 0)),
});

const nemotronLayer =
  (feedForward: (shape: Shape, prefix: string) => Part[]) =>
  (shape: Shape, layer: number, prefix: string): Part[] => {
    const parts = { states: mamba2, attention, feedForward };
    return [under(prefix).norm('attn_norm', shape.width), ...parts[kindOf(layer) ?? 'states'](shape, prefix)];
  };

function feedForward({ width, ffn }: Shape, prefix: string): Part[] {
  const { matrix } = under(prefix);
  return [matrix('ffn_up', width, ffn), matrix('ffn_down', ffn, width)];
}

function experts({ width, ffn, experts = 8, latentWidth }: Shape, prefix: string): Part[] {
  const { matrix } = under(prefix);
  const each = (part: Part): Part => ({ ...part, shape: [...part.shape, experts] });
  return [
    { name: `${prefix}ffn_gate_inp.weight`, shape: [width, experts], kind: 'router' },
    { name: `${prefix}exp_probs_b.bias`, shape: [experts], kind: 'bias' },
    ...(latentWidth
      ? [matrix('ffn_latent_down', width, latentWidth), matrix('ffn_latent_up', latentWidth, width)]
      : []),
    each(matrix('ffn_up_exps', latentWidth ?? width, ffn)),
    each(matrix('ffn_down_exps', ffn, latentWidth ?? width)),
    matrix('ffn_up_shexp', width, ffn),
    matrix('ffn_down_shexp', ffn, width),
  ];
}

export const mamba2Recipes = {
  nemotron_h: { name: 'nemotron_h', layer: nemotronLayer(feedForward), extra: nemotronMetadata },
  nemotron_h_moe: {
    name: 'nemotron_h_moe',
    layer: nemotronLayer(experts),
    experts: true,
    extra: shape => ({
      ...nemotronMetadata(shape),
      ...narrowExperts(shape),
      expert_shared_feed_forward_length: u32(shape.ffn),
      expert_weights_norm: { type: 'bool', value: true },
      expert_weights_scale: f32(2.5),
      ...(shape.latentWidth && { moe_latent_size: u32(shape.latentWidth) }),
    }),
  },
  granitehybrid: { name: 'granitehybrid', mixer: graniteMixer, tied: true, extra: graniteMetadata },
  granitehybridMoe: {
    name: 'granitehybrid',
    mixer: graniteMixer,
    tied: true,
    experts: true,
    shared: 'plain',
    extra: shape => ({
      ...graniteMetadata(shape),
      ...expertCounts(shape),
      expert_shared_feed_forward_length: u32(shape.ffn),
    }),
  },
} as const satisfies Record<string, Recipe>;
