import { encoderParts } from './encoders.ts';
import { gemma4Recipe } from './gemma4.ts';
import type { MetaValue } from './gguf-writer.ts';
import { hybridRecipes, predictor } from './hybrid.ts';
import { latentRecipes } from './latent.ts';
import { mamba2Recipes } from './mamba2.ts';
import { expertCounts, f32, graniteFactors, narrowExperts, u32 } from './metadata.ts';
import type { Part, Recipe } from './recipe.ts';
import type { Shape } from './shapes.ts';

const i32s = (...values: number[]): MetaValue => ({ array: 'i32', values });
/** How the pairs of a head are shared among time, height and width: no pair is left over, which llama.cpp would not turn. */
const sections = ({ width, heads, headWidth = width / heads }: Shape) => {
  const pairs = headWidth / 2;
  const third = (rest: number) => Math.ceil((pairs - rest) / 3);
  return { 'rope.dimension_sections': i32s(third(0), third(1), third(2), 0) };
};
const window = ({ window: tokens = 64 }: Shape) => ({ 'attention.sliding_window': u32(tokens) });

const ranks = () => ({ pooling_type: u32(4) });

export const recipes = {
  llama: { name: 'llama' },
  mixtral: { name: 'llama', experts: true, extra: expertCounts },
  qwen2: { name: 'qwen2', biases: true },
  qwen3: { name: 'qwen3', headNorms: true },
  qwen3moe: {
    name: 'qwen3moe',
    headNorms: true,
    experts: true,
    extra: narrowExperts,
  },
  qwen3vl: { name: 'qwen3vl', headNorms: true, extra: sections },
  qwen3vlmoe: {
    name: 'qwen3vlmoe',
    headNorms: true,
    experts: true,
    extra: shape => ({ ...narrowExperts(shape), ...sections(shape) }),
  },
  mistral3: {
    name: 'mistral3',
    extra: () => ({
      'attention.temperature_scale': f32(0.1),
      'rope.scaling.type': { type: 'string', value: 'yarn' },
      'rope.scaling.factor': f32(16),
      'rope.scaling.original_context_length': u32(32),
      'rope.scaling.yarn_beta_fast': f32(24),
      'rope.scaling.yarn_beta_slow': f32(2),
      'rope.scaling.yarn_log_multiplier': f32(1),
    }),
  },
  smollm3: { name: 'smollm3', tied: true },
  granite: { name: 'granite', tied: true, extra: graniteFactors },
  granitemoe: {
    name: 'granitemoe',
    tied: true,
    experts: true,
    shared: 'plain',
    extra: shape => ({
      ...graniteFactors(),
      ...expertCounts(shape),
      expert_shared_feed_forward_length: u32(shape.ffn),
    }),
  },
  qwen2moe: {
    name: 'qwen2moe',
    biases: true,
    experts: true,
    shared: 'gated',
    extra: shape => ({ ...narrowExperts(shape), expert_shared_feed_forward_length: u32(shape.ffn) }),
  },
  glm4moe: {
    name: 'glm4moe',
    biases: true,
    headNorms: true,
    experts: true,
    shared: 'plain',
    selectionBias: true,
    leadingDense: 1,
    ffnNorm: 'post_attention_norm',
    extra: ({ width, heads, headWidth = width / heads, ...shape }) => ({
      ...narrowExperts({ width, heads, ...shape }),
      expert_shared_count: u32(1),
      leading_dense_block_count: u32(1),
      expert_gating_func: u32(2),
      expert_weights_scale: f32(1.5),
      expert_weights_norm: { type: 'bool', value: true },
      'rope.dimension_count': u32(headWidth / 2),
    }),
  },
  gemma2: {
    name: 'gemma2',
    postNorms: true,
    tied: true,
    scaledEmbedding: true,
    extra: shape => ({ ...window(shape), attn_logit_softcapping: f32(50), final_logit_softcapping: f32(30) }),
  },
  gemma3: { name: 'gemma3', postNorms: true, headNorms: true, tied: true, scaledEmbedding: true, extra: window },
  gemma4: gemma4Recipe({}),
  'gemma4-e2b': gemma4Recipe({ perLayer: true }),
  'gemma4-a4b': gemma4Recipe({ experts: true }),
  phi3: { name: 'phi3', fused: true },
  'gpt-oss': {
    name: 'gpt-oss',
    biases: true,
    experts: true,
    expertBiases: true,
    sinks: true,
    ffnNorm: 'post_attention_norm',
    extra: shape => ({
      ...expertCounts(shape),
      ...window(shape),
      expert_feed_forward_length: u32(shape.ffn),
      'rope.scaling.type': { type: 'string', value: 'yarn' },
      'rope.scaling.factor': f32(32),
      'rope.scaling.original_context_length': u32(4096),
    }),
  },
  gemma: { name: 'gemma', tied: true, scaledEmbedding: true },
  olmo2: { name: 'olmo2', headNorms: 'whole', postNorms: true, preNorms: false },
  olmo3: { name: 'olmo2', headNorms: 'whole', postNorms: true, preNorms: false, extra: window },
  exaone4: { name: 'exaone4', headNorms: true, postNorms: true, preNorms: false },
  glm4: {
    name: 'glm4',
    biases: true,
    postNorms: true,
    fused: 'ffn',
    extra: ({ width, heads, headWidth = width / heads }) => ({ 'rope.dimension_count': u32(headWidth / 2) }),
  },
  'hunyuan-dense': { name: 'hunyuan-dense', headNorms: true, tied: true },
  seed_oss: { name: 'seed_oss', biases: true, ffnNorm: 'post_attention_norm' },
  ernie4_5: { name: 'ernie4_5', tied: true },
  'ernie4_5-moe': {
    name: 'ernie4_5-moe',
    experts: true,
    shared: 'plain',
    selectionBias: true,
    leadingDense: 1,
    extra: shape => ({
      ...narrowExperts(shape),
      expert_shared_feed_forward_length: u32(shape.ffn),
      leading_dense_block_count: u32(1),
      interleave_moe_layer_step: u32(1),
    }),
  },
  ...latentRecipes,
  qwen2vl: { name: 'qwen2vl', biases: true, extra: sections },
  llama4: {
    name: 'llama4',
    experts: true,
    shared: 'plain',
    expertsEvery: 2,
    extra: shape => ({
      ...narrowExperts({ ...shape, expertsUsed: 1 }),
      interleave_moe_layer_step: u32(Math.min(2, shape.layers)),
    }),
  },
  cohere2: {
    name: 'cohere2',
    ...{ layerNorms: true, parallel: true, tied: true },
    extra: shape => ({ ...window(shape), logit_scale: f32(0.25) }),
  },
  'command-r': {
    name: 'command-r',
    ...{ layerNorms: true, parallel: true, tied: true },
    extra: () => ({ logit_scale: f32(0.0625) }),
  },
  olmoe: { name: 'olmoe', headNorms: 'whole', experts: true, extra: expertCounts },
  starcoder2: { name: 'starcoder2', layerNorms: 'biased', biases: true, ungated: true },
  'hunyuan-moe': {
    name: 'hunyuan-moe',
    headNorms: true,
    experts: true,
    shared: 'plain',
    extra: shape => ({ ...narrowExperts(shape), expert_shared_feed_forward_length: u32(shape.ffn) }),
  },
  ...hybridRecipes,
  ...mamba2Recipes,
  bert: { name: 'bert', embeds: true, encoder: { positions: true, biases: true } },
  bertReranker: { name: 'bert', embeds: true, encoder: { positions: true, biases: true, ranks: true }, extra: ranks },
  gemmaEmbedding: {
    name: 'gemma-embedding',
    embeds: true,
    postNorms: true,
    headNorms: true,
    tied: true,
    scaledEmbedding: true,
    dense: 640,
    extra: shape => ({
      ...window(shape),
      'attention.sliding_window_pattern': u32(2),
      'attention.causal': { type: 'bool', value: false },
      dense_2_feat_in: u32(shape.width),
      dense_2_feat_out: u32(640),
      dense_3_feat_in: u32(640),
      dense_3_feat_out: u32(shape.width),
    }),
  },
  qwen3Reranker: {
    name: 'qwen3',
    embeds: true,
    headNorms: true,
    labels: 2,
    extra: () => ({ ...ranks(), 'classifier.output_labels': { array: 'string', values: ['yes', 'no'] } }),
  },
  nomicBert: { name: 'nomic-bert', embeds: true, encoder: { fused: true, gated: true } },
} as const satisfies Record<string, Recipe>;

export type ArchitectureName = keyof typeof recipes;

/** Those that answer. */
export const decoders = (Object.keys(recipes) as ArchitectureName[]).filter(name => !('embeds' in recipes[name]));

/** The architecture's own metadata keys. */
export function architectureMetadata(architecture: ArchitectureName, shape: Shape): Map<string, MetaValue> {
  const recipe: Recipe = recipes[architecture];
  const { heads, width, headWidth = width / heads } = shape;
  const keys: Record<string, MetaValue> = {
    context_length: u32(shape.context),
    embedding_length: u32(width),
    block_count: u32(shape.layers),
    feed_forward_length: u32(shape.ffn),
    vocab_size: u32(shape.vocab),
    'attention.head_count': u32(heads),
    'attention.head_count_kv': u32(shape.kvHeads),
    'attention.key_length': u32(headWidth),
    'attention.value_length': u32(headWidth),
    ...(recipe.encoder
      ? { 'attention.layer_norm_epsilon': f32(1e-5), 'attention.causal': { type: 'bool', value: false } as const }
      : { [`attention.layer_norm_${recipe.layerNorms ? '' : 'rms_'}epsilon`]: f32(1e-5) }),
    'rope.dimension_count': u32(headWidth),
    'rope.freq_base': f32(shape.ropeBase ?? 10_000),
    ...recipe.extra?.(shape),
  };
  return new Map(Object.entries(keys).map(([key, value]) => [`${recipe.name}.${key}`, value]));
}

/** Whether the output matrix is the token embedding: the shape says so or the architecture always does. */
export function isTied(architecture: ArchitectureName, shape: Shape): boolean {
  const recipe: Recipe = recipes[architecture];
  return shape.tied ?? recipe.tied ?? false;
}

/**
 * Standard deviation of the token embedding. As the output matrix it gives logits of 3; but where it is also scaled up on the way in,
 * a token's own logit grows with it, and 1 keeps every token from predicting itself.
 */
export function embeddingDeviation(architecture: ArchitectureName, shape: Shape): number {
  if (!isTied(architecture, shape)) return 1;
  const recipe: Recipe = recipes[architecture];
  return (recipe.scaledEmbedding ? 1 : 3) / Math.sqrt(shape.width);
}

/** All tensors, in the order of the file. */
export function parts(architecture: ArchitectureName, shape: Shape): Part[] {
  const { width, vocab, layers, predicting = 0 } = shape;
  const recipe: Recipe = recipes[architecture];
  if (recipe.encoder) return encoderParts(recipe.encoder, shape);
  const all: Part[] = [
    { name: 'token_embd.weight', shape: [width, vocab], kind: 'embedding' },
    { name: `${recipe.outputNorm ?? 'output_norm'}.weight`, shape: [width], kind: 'norm' },
  ];
  if (!isTied(architecture, shape)) all.push({ name: 'output.weight', shape: [width, vocab], kind: 'output' });
  if (recipe.layerNorms === 'biased') all.push({ name: 'output_norm.bias', shape: [width], kind: 'bias' });
  if (recipe.labels) all.push({ name: 'cls.output.weight', shape: [width, recipe.labels], kind: 'output' });
  if (recipe.dense) {
    all.push({ name: 'dense_2.weight', shape: [width, recipe.dense], kind: 'matrix' });
    all.push({ name: 'dense_3.weight', shape: [recipe.dense, width], kind: 'matrix' });
  }
  all.push(...(recipe.ends?.(shape) ?? []));
  const { layer: partsOf = (_, layer) => layerParts(recipe, shape, layer) } = recipe;
  for (let layer = 0; layer < layers + predicting; layer++) {
    all.push(...partsOf(shape, layer, `blk.${layer}.`));
    if (layer >= layers) all.push(...predictor(shape, `blk.${layer}.`));
  }
  return all;
}

function layerParts(recipe: Recipe, shape: Shape, layer: number): Part[] {
  const { width } = shape;
  const prefix = `blk.${layer}.`;
  const norm = (name: string, size = width): Part => ({ name: `${prefix}${name}.weight`, shape: [size], kind: 'norm' });
  const bias = (name: string): Part => ({ name: `${prefix}${name}.bias`, shape: [width], kind: 'bias' });
  const whole = (name: string) => (recipe.layerNorms === 'biased' ? [norm(name), bias(name)] : [norm(name)]);
  const before = (name: string) => (recipe.preNorms === false ? [] : whole(name));
  const list = [
    ...before('attn_norm'),
    ...(recipe.mixer ? recipe.mixer(shape, layer, prefix) : attentionParts(recipe, shape, prefix)),
    ...(recipe.parallel ? [] : before(recipe.ffnNorm ?? 'ffn_norm')),
    ...ffnParts(recipe, shape, prefix, isDense(recipe, shape, layer)),
  ];
  const headWidth = shape.headWidth ?? width / shape.heads;
  const normed = (heads: number) => (recipe.headNorms === 'whole' ? heads * headWidth : headWidth);
  if (recipe.headNorms) list.push(norm('attn_q_norm', normed(shape.heads)), norm('attn_k_norm', normed(shape.kvHeads)));
  if (recipe.sinks) list.push({ name: `${prefix}attn_sinks.weight`, shape: [shape.heads], kind: 'sinks' });
  if (recipe.postNorms) list.push(norm('post_attention_norm'), norm('post_ffw_norm'));
  return list;
}

function isDense({ leadingDense = 0, expertsEvery = 1 }: Recipe, shape: Shape, layer: number): boolean {
  const { layers, denseLayers = leadingDense } = shape;
  return layer < denseLayers || (layer + 1) % Math.min(expertsEvery, layers) !== 0;
}

function attentionParts(recipe: Recipe, shape: Shape, prefix: string): Part[] {
  const { width, heads, kvHeads, headWidth = width / heads } = shape;
  const [q, kv] = [heads * headWidth, kvHeads * headWidth];
  const matrix = (name: string, from: number, to: number): Part => {
    return { name: `${prefix}${name}.weight`, shape: [from, to], kind: 'matrix' };
  };
  const bias = (name: string, size: number): Part => ({ name: `${prefix}${name}.bias`, shape: [size], kind: 'bias' });
  const output = matrix('attn_output', q, width);
  if (recipe.fused === true) return [matrix('attn_qkv', width, q + 2 * kv), output];
  const list = [matrix('attn_q', width, q), matrix('attn_k', width, kv), matrix('attn_v', width, kv), output];
  if (recipe.biases) list.push(bias('attn_q', q), bias('attn_k', kv), bias('attn_v', kv));
  if (recipe.expertBiases || recipe.layerNorms === 'biased') list.push(bias('attn_output', width));
  return list;
}

function ffnParts(recipe: Recipe, { width, ffn, experts = 8 }: Shape, prefix: string, dense: boolean): Part[] {
  const matrix = (name: string, ...shape: number[]): Part => ({
    name: `${prefix}${name}.weight`,
    shape,
    kind: 'matrix',
  });
  // The fused matrix holds the gate's rows first.
  if (recipe.fused) return [matrix('ffn_up', width, 2 * ffn), matrix('ffn_down', ffn, width)];
  if (recipe.ungated) {
    const bias = (name: string, size: number): Part => ({ name: `${prefix}${name}.bias`, shape: [size], kind: 'bias' });
    const matrices = [matrix('ffn_up', width, ffn), matrix('ffn_down', ffn, width)];
    return recipe.layerNorms === 'biased' ? [...matrices, bias('ffn_up', ffn), bias('ffn_down', width)] : matrices;
  }
  if (!recipe.experts || dense)
    return [matrix('ffn_gate', width, ffn), matrix('ffn_up', width, ffn), matrix('ffn_down', ffn, width)];
  const list = [
    matrix('ffn_gate_exps', width, ffn, experts),
    matrix('ffn_up_exps', width, ffn, experts),
    matrix('ffn_down_exps', ffn, width, experts),
    ...(recipe.selectionBias ? [{ name: `${prefix}exp_probs_b.bias`, shape: [experts], kind: 'bias' } as const] : []),
    ...(recipe.shared
      ? [matrix('ffn_gate_shexp', width, ffn), matrix('ffn_up_shexp', width, ffn), matrix('ffn_down_shexp', ffn, width)]
      : []),
    ...(recipe.shared === 'gated'
      ? [{ name: `${prefix}ffn_gate_inp_shexp.weight`, shape: [width], kind: 'router' } as const]
      : []),
  ];
  const router: Part = { name: `${prefix}ffn_gate_inp.weight`, shape: [width, experts], kind: 'router' };
  if (!recipe.expertBiases) return [router, ...list];
  const biases = [router, ...list].map(({ name, shape: [, ...shape] }): Part => {
    return { name: name.replace('.weight', '.bias'), shape, kind: 'bias' };
  });
  return [router, ...list, ...biases];
}
