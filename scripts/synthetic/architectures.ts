import { gemma4Recipe } from './gemma4.ts';
import type { MetaValue } from './gguf-writer.ts';
import type { Shape } from './shapes.ts';

/** One tensor of an architecture; matrices are [inputs, outputs] or [inputs, outputs, experts], in ggml's order. */
export interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: 'embedding' | 'matrix' | 'output' | 'norm' | 'bias' | 'router' | 'divisors' | 'scaling norm';
}

/** What tells one architecture from llama; names and keys as llama.cpp expects them. */
interface Recipe {
  /** general.architecture. */
  readonly name: string;
  readonly biases?: boolean;
  readonly headNorms?: boolean;
  readonly postNorms?: boolean;
  readonly fused?: boolean;
  readonly experts?: boolean;
  readonly tied?: boolean;
  /** The embedding is multiplied by sqrt(width) when a token enters, and not when it serves as the output matrix. */
  readonly scaledEmbedding?: boolean;
  readonly extra?: (shape: Shape) => Record<string, MetaValue>;
  /** Tensors beside the layers, and those of a layer, of an architecture that is like no other. */
  readonly ends?: (shape: Shape) => Part[];
  readonly layer?: (shape: Shape, layer: number, prefix: string) => Part[];
}

const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const f32 = (value: number): MetaValue => ({ type: 'f32', value });

const expertCounts = ({ experts = 8, expertsUsed = 2 }: Shape) => ({
  expert_count: u32(experts),
  expert_used_count: u32(expertsUsed),
});
const window = ({ window: tokens = 64 }: Shape) => ({ 'attention.sliding_window': u32(tokens) });

export const recipes = {
  llama: { name: 'llama' },
  mixtral: { name: 'llama', experts: true, extra: expertCounts },
  qwen2: { name: 'qwen2', biases: true },
  qwen3: { name: 'qwen3', headNorms: true },
  qwen3moe: {
    name: 'qwen3moe',
    headNorms: true,
    experts: true,
    extra: shape => ({ ...expertCounts(shape), expert_feed_forward_length: u32(shape.ffn) }),
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
} as const satisfies Record<string, Recipe>;

export type ArchitectureName = keyof typeof recipes;

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
    'attention.layer_norm_rms_epsilon': f32(1e-5),
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
  const { width, vocab } = shape;
  const all: Part[] = [
    { name: 'token_embd.weight', shape: [width, vocab], kind: 'embedding' },
    { name: 'output_norm.weight', shape: [width], kind: 'norm' },
  ];
  if (!isTied(architecture, shape)) all.push({ name: 'output.weight', shape: [width, vocab], kind: 'output' });
  const recipe: Recipe = recipes[architecture];
  all.push(...(recipe.ends?.(shape) ?? []));
  const { layer: partsOf = (_, _layer, prefix) => layerParts(recipe, shape, prefix) } = recipe;
  for (let layer = 0; layer < shape.layers; layer++) all.push(...partsOf(shape, layer, `blk.${layer}.`));
  return all;
}

function layerParts(recipe: Recipe, shape: Shape, prefix: string): Part[] {
  const { width } = shape;
  const norm = (name: string, size = width): Part => ({ name: `${prefix}${name}.weight`, shape: [size], kind: 'norm' });
  const list = [
    norm('attn_norm'),
    ...attentionParts(recipe, shape, prefix),
    norm('ffn_norm'),
    ...ffnParts(recipe, shape, prefix),
  ];
  const headWidth = shape.headWidth ?? width / shape.heads;
  if (recipe.headNorms) list.push(norm('attn_q_norm', headWidth), norm('attn_k_norm', headWidth));
  if (recipe.postNorms) list.push(norm('post_attention_norm'), norm('post_ffw_norm'));
  return list;
}

function attentionParts(recipe: Recipe, shape: Shape, prefix: string): Part[] {
  const { width, heads, kvHeads, headWidth = width / heads } = shape;
  const [q, kv] = [heads * headWidth, kvHeads * headWidth];
  const matrix = (name: string, from: number, to: number): Part => {
    return { name: `${prefix}${name}.weight`, shape: [from, to], kind: 'matrix' };
  };
  const bias = (name: string, size: number): Part => ({ name: `${prefix}${name}.bias`, shape: [size], kind: 'bias' });
  const output = matrix('attn_output', q, width);
  if (recipe.fused) return [matrix('attn_qkv', width, q + 2 * kv), output];
  const list = [matrix('attn_q', width, q), matrix('attn_k', width, kv), matrix('attn_v', width, kv), output];
  return recipe.biases ? [...list, bias('attn_q', q), bias('attn_k', kv), bias('attn_v', kv)] : list;
}

function ffnParts(recipe: Recipe, { width, ffn, experts = 8 }: Shape, prefix: string): Part[] {
  const matrix = (name: string, ...shape: number[]): Part => ({
    name: `${prefix}${name}.weight`,
    shape,
    kind: 'matrix',
  });
  // The fused matrix holds the gate's rows first.
  if (recipe.fused) return [matrix('ffn_up', width, 2 * ffn), matrix('ffn_down', ffn, width)];
  if (!recipe.experts)
    return [matrix('ffn_gate', width, ffn), matrix('ffn_up', width, ffn), matrix('ffn_down', ffn, width)];
  return [
    { name: `${prefix}ffn_gate_inp.weight`, shape: [width, experts], kind: 'router' },
    matrix('ffn_gate_exps', width, ffn, experts),
    matrix('ffn_up_exps', width, ffn, experts),
    matrix('ffn_down_exps', ffn, width, experts),
  ];
}
