import type { MetaValue } from './gguf-writer.ts';
import type { Part } from './recipe.ts';
import type { Shape } from './shapes.ts';

interface Variant {
  /** As E2B: an embedding for every layer, last layers that see the keys of earlier ones, with twice the inner width. */
  readonly perLayer?: boolean;
  /** As 26B-A4B: experts beside the feed-forward network; layers that see all have fewer key heads, which are values too. */
  readonly experts?: boolean;
}

const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const f32 = (value: number): MetaValue => ({ type: 'f32', value });

/** Sizes that a shape does not say: small ones. */
function sizesOf(variant: Variant, shape: Shape) {
  const { headWidth = shape.width / shape.heads, fullEvery = Math.min(3, shape.layers) } = shape;
  const { windowHeadWidth = headWidth / 2, perLayerWidth = 64 } = shape;
  const shared = variant.perLayer ? (shape.sharedLayers ?? Math.floor(shape.layers / (2 * fullEvery)) * fullEvery) : 0;
  const own = shape.layers - shared;
  const sees = (layer: number) => layer % fullEvery === fullEvery - 1;
  return {
    ...{ own, shared, perLayerWidth: variant.perLayer ? perLayerWidth : 0, windowHeadWidth, headWidth },
    slides: (layer: number) => !sees(layer),
    headOf: (layer: number) => (sees(layer) ? headWidth : windowHeadWidth),
    kvHeadsOf: (layer: number) => (variant.experts && sees(layer) ? shape.kvHeads / 2 : shape.kvHeads),
    ffnOf: (layer: number) => (layer < own ? shape.ffn : 2 * shape.ffn),
  };
}

/** Gemma 4, as llama.cpp's gemma4.cpp reads it. */
export function gemma4Recipe(variant: Variant) {
  return {
    name: 'gemma4',
    tied: true,
    scaledEmbedding: true,
    experts: variant.experts ?? false,
    extra: (shape: Shape) => metadata(variant, shape),
    ends: (shape: Shape) => ends(variant, shape),
    layer: (shape: Shape, layer: number, prefix: string) => layerParts(variant, shape, layer, prefix),
  };
}

function metadata(variant: Variant, shape: Shape): Record<string, MetaValue> {
  const { slides, kvHeadsOf, ffnOf, windowHeadWidth, shared, perLayerWidth } = sizesOf(variant, shape);
  const each = <T>(of: (layer: number) => T) => Array.from({ length: shape.layers }, (_, layer) => of(layer));
  return {
    feed_forward_length: { array: 'u32', values: each(ffnOf) },
    'attention.head_count_kv': { array: 'u32', values: each(kvHeadsOf) },
    'attention.key_length_swa': u32(windowHeadWidth),
    'attention.value_length_swa': u32(windowHeadWidth),
    'attention.sliding_window': u32(shape.window ?? 64),
    'attention.sliding_window_pattern': { array: 'bool', values: each(slides) },
    'attention.shared_kv_layers': u32(shared),
    'rope.dimension_count_swa': u32(windowHeadWidth),
    'rope.freq_base': f32(shape.ropeBase ?? 1e6),
    'rope.freq_base_swa': f32(10_000),
    embedding_length_per_layer_input: u32(perLayerWidth),
    final_logit_softcapping: f32(30),
    ...(variant.experts && {
      expert_count: u32(shape.experts ?? 8),
      expert_used_count: u32(shape.expertsUsed ?? 2),
      expert_feed_forward_length: u32(expertWidth(shape)),
    }),
  };
}

const expertWidth = ({ ffn }: Shape): number => ffn / 2;

const matrix = (name: string, ...shape: number[]): Part => ({ name: `${name}.weight`, shape, kind: 'matrix' });
const norm = (name: string, size: number): Part => ({ name: `${name}.weight`, shape: [size], kind: 'norm' });

/** Attention does not scale its scores: what norms give keys is as small as a scale would be. */
const keyNorm = (head: number): Part => ({ name: 'attn_k_norm.weight', shape: [head], kind: 'scaling norm' });

function ends(variant: Variant, shape: Shape): Part[] {
  const { perLayerWidth, headWidth } = sizesOf(variant, shape);
  const factors: Part = { name: 'rope_freqs.weight', shape: [headWidth / 2], kind: 'divisors' };
  if (perLayerWidth === 0) return [factors];
  const all = shape.layers * perLayerWidth;
  return [
    factors,
    { name: 'per_layer_token_embd.weight', shape: [all, shape.vocab], kind: 'embedding' },
    matrix('per_layer_model_proj', shape.width, all),
    norm('per_layer_proj_norm', perLayerWidth),
  ];
}

function layerParts(variant: Variant, shape: Shape, layer: number, prefix: string): Part[] {
  const { width, heads } = shape;
  const { own, headOf, kvHeadsOf, ffnOf, slides, perLayerWidth } = sizesOf(variant, shape);
  const [head, kv, inner] = [headOf(layer), kvHeadsOf(layer) * headOf(layer), ffnOf(layer)];
  const parts = [
    norm('attn_norm', width),
    matrix('attn_q', width, heads * head),
    norm('attn_q_norm', head),
    matrix('attn_output', heads * head, width),
    norm('post_attention_norm', width),
    norm('ffn_norm', width),
    matrix('ffn_gate', width, inner),
    matrix('ffn_up', width, inner),
    matrix('ffn_down', inner, width),
    norm('post_ffw_norm', width),
    norm('layer_output_scale', 1),
  ];
  if (layer < own) parts.push(matrix('attn_k', width, kv), keyNorm(head));
  if (layer < own && (slides(layer) || !variant.experts)) parts.push(matrix('attn_v', width, kv));
  if (variant.experts) parts.push(...expertParts(shape));
  if (perLayerWidth) {
    parts.push(
      matrix('inp_gate', width, perLayerWidth),
      matrix('proj', perLayerWidth, width),
      norm('post_norm', width),
    );
  }
  return parts.map(part => ({ ...part, name: prefix + part.name }));
}

function expertParts(shape: Shape): Part[] {
  const { width, experts = 8 } = shape;
  const inner = expertWidth(shape);
  return [
    { name: 'ffn_gate_inp.weight', shape: [width, experts], kind: 'router' },
    // It is divided by sqrt(width), as what it norms is not: 1 leaves scores too near to each other to choose by.
    { name: 'ffn_gate_inp.scale', shape: [width], kind: 'norm' },
    matrix('ffn_gate_up_exps', width, 2 * inner, experts),
    matrix('ffn_down_exps', inner, width, experts),
    { name: 'ffn_down_exps.scale', shape: [experts], kind: 'norm' },
    norm('post_ffw_norm_1', width),
    norm('pre_ffw_norm_2', width),
    norm('post_ffw_norm_2', width),
  ];
}
