import type { Activation, AttentionOptions, Buffer, RopeTable, Vector } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import { project } from './project.ts';
import type { Linear, Tensors } from './tensors.ts';

/** The weights of a layer's attention. */
export interface AttentionWeights {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly output: Linear;
  /** Norms over each head before the rotation (qwen 3, gemma 3). [headDim] */
  readonly qNorm?: Vector;
  readonly kNorm?: Vector;
}

/** The weights of a gated feed-forward network. arXiv:2002.05202 */
export interface FeedForwardWeights {
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
}

export async function loadAttention({ tensors, config }: Loading, prefix: string): Promise<AttentionWeights> {
  const { width, heads, kvHeads, headDim } = config;
  return {
    q: await tensors.linear(`${prefix}.attn_q`, heads * headDim, width),
    k: await tensors.linear(`${prefix}.attn_k`, kvHeads * headDim, width),
    v: await tensors.linear(`${prefix}.attn_v`, kvHeads * headDim, width),
    output: await tensors.linear(`${prefix}.attn_output`, width, heads * headDim),
  };
}

/** With a norm over each head of queries and of keys. */
export async function loadNormedAttention(loading: Loading, prefix: string): Promise<AttentionWeights> {
  const { tensors, config } = loading;
  return {
    ...(await loadAttention(loading, prefix)),
    qNorm: await tensors.vector(`${prefix}.attn_q_norm.weight`, config.headDim),
    kNorm: await tensors.vector(`${prefix}.attn_k_norm.weight`, config.headDim),
  };
}

export async function loadFeedForward({ tensors, config }: Loading, prefix: string): Promise<FeedForwardWeights> {
  const { width, feedForward } = config;
  return {
    gate: await tensors.linear(`${prefix}.ffn_gate`, feedForward, width),
    up: await tensors.linear(`${prefix}.ffn_up`, feedForward, width),
    down: await tensors.linear(`${prefix}.ffn_down`, width, feedForward),
  };
}

/** The embeddings and the way out. Without an output matrix the embeddings serve as one (tied). */
export async function loadEnds(tensors: Tensors, config: ModelConfig) {
  const embeddings = await tensors.matrix('token_embd.weight', config.vocabSize, config.width);
  return {
    embeddings,
    outputNorm: await tensors.vector('output_norm.weight', config.width),
    output: tensors.has('output.weight')
      ? await tensors.linear('output', config.vocabSize, config.width)
      : { matrix: embeddings },
    linears: tensors.linears,
  };
}

/** Queries, keys and values of `work.normed`; keys and values into the cache; what each token gathers into `work.mixed`. */
export function attend(
  step: Step,
  layer: number,
  weights: AttentionWeights,
  rope: RopeTable,
  options: AttentionOptions,
): void {
  const { backend, config, work, cache, batch } = step;
  const { q, k, v, mixed, normed } = work;
  const { heads, kvHeads, epsilon } = config;
  const products = [
    { out: q, ...weights.q },
    { out: k, ...weights.k },
    { out: v, ...weights.v },
  ];
  project(step, products, normed);
  if (weights.qNorm) backend.rmsNorm(q, q, weights.qNorm, epsilon, batch.tokens);
  if (weights.kNorm) backend.rmsNorm(k, k, weights.kNorm, epsilon, batch.tokens);
  backend.rope(q, rope, batch.positions, heads);
  backend.rope(k, rope, batch.positions, kvHeads);
  backend.storeKv(cache, layer, k, v, batch);
  backend.attention(mixed, q, cache, layer, batch, options);
}

/** activation(gate(x)) * up(x) of `work.normed`, into `gate`. */
export function gated(
  step: Step,
  weights: FeedForwardWeights,
  kind: Activation,
  { gate, up }: { gate: Buffer; up: Buffer } = step.work,
): void {
  const { backend, work, batch } = step;
  const { normed } = work;
  const products = [
    { out: gate, ...weights.gate },
    { out: up, ...weights.up },
  ];
  project(step, products, normed);
  backend.gate(gate, gate, up, kind, batch.tokens);
}
