/** Latent attention: DeepSeek's, and who follows it. */

import type { MetaValue } from './gguf-writer.ts';
import { under } from './hybrid.ts';
import { f32, narrowExperts, u32 } from './metadata.ts';
import type { Part, Recipe } from './recipe.ts';
import type { Shape } from './shapes.ts';

/** Widths of a latent, of the two parts of a query, of a value, and of what queries are made of first; 0: nothing. */
function widths({ latentWidth = 128, rotatedWidth = 32, headWidth = 96, valueWidth = 64, queryRank = 0 }: Shape) {
  return { latentWidth, rotatedWidth, plainWidth: headWidth - rotatedWidth, valueWidth, queryRank };
}

function mixer(shape: Shape, _: number, prefix: string): Part[] {
  const { width, heads } = shape;
  const { latentWidth, rotatedWidth, plainWidth, valueWidth, queryRank } = widths(shape);
  const { matrix, norm } = under(prefix);
  const queries = heads * (plainWidth + rotatedWidth);
  const perHead = (name: string, from: number, to: number): Part => ({
    ...{ name: `${prefix}${name}.weight`, shape: [from, to, heads], kind: 'matrix' },
  });
  return [
    ...(queryRank
      ? [matrix('attn_q_a', width, queryRank), norm('attn_q_a_norm', queryRank), matrix('attn_q_b', queryRank, queries)]
      : [matrix('attn_q', width, queries)]),
    matrix('attn_kv_a_mqa', width, latentWidth + rotatedWidth),
    norm('attn_kv_a_norm', latentWidth),
    perHead('attn_k_b', plainWidth, latentWidth),
    perHead('attn_v_b', latentWidth, valueWidth),
    matrix('attn_output', heads * valueWidth, width),
  ];
}

function metadata(shape: Shape): Record<string, MetaValue> {
  const { latentWidth, rotatedWidth, plainWidth, valueWidth, queryRank } = widths(shape);
  return {
    ...narrowExperts(shape),
    block_count: u32(shape.layers + (shape.predicting ?? 0)),
    ...(shape.predicting && { nextn_predict_layers: u32(shape.predicting) }),
    'attention.head_count_kv': u32(1),
    'attention.key_length': u32(latentWidth + rotatedWidth),
    'attention.value_length': u32(latentWidth),
    'attention.key_length_mla': u32(plainWidth + rotatedWidth),
    'attention.value_length_mla': u32(valueWidth),
    'attention.kv_lora_rank': u32(latentWidth),
    ...(queryRank && { 'attention.q_lora_rank': u32(queryRank) }),
    'rope.dimension_count': u32(rotatedWidth),
    leading_dense_block_count: u32(shape.denseLayers ?? 1),
    expert_shared_count: u32(1),
  };
}

const yarn = (factor: number, multiplier: number): Record<string, MetaValue> => ({
  'rope.scaling.type': { type: 'string', value: 'yarn' },
  'rope.scaling.factor': f32(factor),
  'rope.scaling.original_context_length': u32(64),
  'rope.scaling.yarn_log_multiplier': f32(multiplier),
});

const common = { experts: true, shared: 'plain', leadingDense: 1 } as const;
/** Queries that are made of a narrower stream. */
const ranked = (shape: Shape): Shape => ({ queryRank: 256, ...shape });
const rankedMixer = (shape: Shape, layer: number, prefix: string) => mixer(ranked(shape), layer, prefix);
const bySigmoid = {
  expert_gating_func: u32(2),
  expert_weights_norm: { type: 'bool', value: true },
} as const;

/** By the shapes of V2-Lite, V3 and GLM-4.7-Flash. llama.cpp knows the first by its 27 layers. */
export const latentRecipes = {
  deepseek2: {
    ...common,
    name: 'deepseek2',
    mixer,
    extra: shape => ({ ...metadata(shape), expert_weights_scale: f32(1), ...yarn(40, 0.0707) }),
  },
  'deepseek2-v3': {
    ...common,
    name: 'deepseek2',
    selectionBias: true,
    mixer: rankedMixer,
    extra: shape => ({
      ...metadata(ranked(shape)),
      ...bySigmoid,
      expert_weights_scale: f32(2.5),
      expert_group_count: u32(4),
      expert_group_used_count: u32(2),
      ...yarn(40, 0.1),
    }),
  },
  'deepseek2-flash': {
    ...common,
    name: 'deepseek2',
    selectionBias: true,
    mixer: rankedMixer,
    extra: shape => ({ ...metadata(ranked(shape)), ...bySigmoid, expert_weights_scale: f32(1.8) }),
  },
  mistral4: {
    ...common,
    name: 'mistral4',
    mixer: rankedMixer,
    extra: shape => ({
      ...metadata(ranked(shape)),
      expert_gating_func: u32(1),
      expert_weights_norm: { type: 'bool', value: true },
      'attention.temperature_scale': f32(0.1),
      'attention.temperature_length': u32(7),
      ...yarn(16, 0.1),
    }),
  },
} as const satisfies Record<string, Recipe>;
