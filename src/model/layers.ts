import type { Activation, AttentionOptions, BatchLayout, Buffer, Gate, RopeTable, Vector } from '../backend/backend.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import { loadNorm, type NormKind } from './norm.ts';
import { project } from './project.ts';
import { qkv } from './qkv.ts';
import type { Linear } from './tensors.ts';

/** The weights of a layer's attention. */
export interface AttentionWeights {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly output: Linear;
  /** Norms over each head before the rotation (qwen 3, gemma 3), [headDim]; or over all of them (olmo 2). */
  readonly qNorm?: Vector;
  readonly kNorm?: Vector;
  /** Of each head a score without a value, see {@link AttentionOptions}. [heads] */
  readonly sinks?: Vector;
  /** Whether those come behind the rotation instead. */
  readonly rotatesFirst?: boolean;
}

/** The weights of a gated feed-forward network. arXiv:2002.05202 */
export interface FeedForwardWeights {
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
}

/** The weights of one without a gate. */
export type UngatedWeights = Omit<FeedForwardWeights, 'gate'>;

export async function loadAttention(loading: Loading, prefix: string): Promise<AttentionWeights> {
  const { tensors, config } = loading;
  const { width, heads, kvHeads, headDim } = config;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  const load = qkv(loading, prefix, { q, k: kv, v: kv });
  return {
    q: await load('q'),
    k: await load('k'),
    v: await load('v'),
    output: await tensors.linear(`${prefix}.attn_output`, width, q),
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

/** With one norm over all heads of queries, and one over those of keys. */
export async function loadWholeNormedAttention(loading: Loading, prefix: string): Promise<AttentionWeights> {
  const { tensors, config } = loading;
  const { heads, kvHeads, headDim } = config;
  return {
    ...(await loadAttention(loading, prefix)),
    qNorm: await tensors.vector(`${prefix}.attn_q_norm.weight`, heads * headDim),
    kNorm: await tensors.vector(`${prefix}.attn_k_norm.weight`, kvHeads * headDim),
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

export async function loadUngated({ tensors, config }: Loading, prefix: string): Promise<UngatedWeights> {
  const { width, feedForward } = config;
  return {
    up: await tensors.linear(`${prefix}.ffn_up`, feedForward, width),
    down: await tensors.linear(`${prefix}.ffn_down`, width, feedForward),
  };
}

/** With the rows of gate and up in one matrix, in this order. */
export async function loadFusedFeedForward({ tensors, config }: Loading, prefix: string): Promise<FeedForwardWeights> {
  const { width, feedForward } = config;
  const part = (first: number) =>
    tensors.linear(`${prefix}.ffn_up`, 2 * feedForward, width, { first, count: feedForward });
  return {
    gate: await part(0),
    up: await part(feedForward),
    down: await tensors.linear(`${prefix}.ffn_down`, width, feedForward),
  };
}

/** The embeddings and the way out. Without an output matrix the embeddings serve as one (tied). */
export async function loadEnds(
  loading: Pick<Loading, 'backend' | 'tensors' | 'config'>,
  { outputNorm = 'output_norm', norm }: { outputNorm?: string | undefined; norm?: NormKind | undefined } = {},
) {
  const { tensors, config } = loading;
  const embeddings = await tensors.matrix('token_embd.weight', config.vocabSize, config.width);
  return {
    embeddings,
    outputNorm: await loadNorm(loading, outputNorm, norm),
    output: tensors.has('output.weight')
      ? await tensors.linear('output', config.vocabSize, config.width)
      : { matrix: embeddings },
    linears: tensors.linears,
  };
}

/** What few architectures do otherwise in {@link attend}. */
interface AttendExtras {
  /** What queries, keys and values are made of. Default `work.normed`. */
  readonly x?: Buffer;
  /** What else is made of it. */
  readonly also?: readonly (Linear & { readonly out: Buffer })[];
  /** Queries' own rotations. */
  readonly queryRope?: RopeTable | undefined;
  /** The batch as its tokens see it: see {@link Chunks}. */
  readonly seen?: BatchLayout | undefined;
}

/**
 * Queries, keys and values of `work.normed`; keys and values into the cache; what each token gathers into `work.mixed`.
 * Without `rope` nothing tells positions apart but what a token can see.
 */
export function attend(
  step: Step,
  layer: number,
  weights: AttentionWeights,
  rope: RopeTable | undefined,
  options: AttentionOptions,
  { x = step.work.normed, also = [], queryRope = rope, seen = step.batch }: AttendExtras = {},
): void {
  const { backend, config, work, cache, batch } = step;
  const { q, k, v, mixed } = work;
  const { heads, kvHeads } = config;
  const products = [{ out: q, ...weights.q }, { out: k, ...weights.k }, { out: v, ...weights.v }, ...also];
  project(step, products, x);
  if (!weights.rotatesFirst) normaliseHeads(step, weights);
  if (queryRope) backend.rope(q, queryRope, batch.positions, heads);
  if (rope) backend.rope(k, rope, batch.positions, kvHeads);
  if (weights.rotatesFirst) normaliseHeads(step, weights);
  backend.storeKv(cache, layer, k, v, batch);
  backend.attention(mixed, q, cache, layer, seen, options);
}

function normaliseHeads({ backend, config, work, batch }: Step, { qNorm, kNorm }: AttentionWeights): void {
  if (qNorm) backend.rmsNorm(work.q, work.q, qNorm, config.epsilon, batch.tokens);
  if (kNorm) backend.rmsNorm(work.k, work.k, kNorm, config.epsilon, batch.tokens);
}

/** hidden += factor * linear(x); `work.normed` may be lost. */
export function addProduct(step: Step, linear: Linear, x: Buffer, factor?: number): void {
  const { backend, work, batch } = step;
  if (factor === undefined && linear.scale === undefined)
    return project(step, [{ out: work.hidden, ...linear }], x, { accumulate: true });
  project(step, [{ out: work.normed, ...linear }], x);
  if (factor !== undefined) backend.scale(work.normed, factor, batch.tokens);
  backend.add(work.hidden, work.normed, batch.tokens);
}

/** activation(gate(x)) * up(x), into `gate`. */
export function gated(
  step: Step,
  weights: FeedForwardWeights,
  kind: Gate,
  x: Buffer = step.work.normed,
  { gate, up }: { gate: Buffer; up: Buffer } = step.work,
): void {
  const { backend, batch } = step;
  const products = [
    { out: gate, ...weights.gate },
    { out: up, ...weights.up },
  ];
  project(step, products, x);
  backend.gate(gate, gate, up, kind, batch.tokens);
}

/** activation(up(x)), into `work.gate`. */
export function ungated(step: Step, { up }: UngatedWeights, kind: Activation, x: Buffer = step.work.normed): void {
  const { backend, work, batch } = step;
  project(step, [{ out: work.gate, ...up }], x);
  backend.activate(work.gate, kind, batch.tokens);
}
