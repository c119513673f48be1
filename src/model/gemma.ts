import type { RopeTable, Vector } from '../backend/backend.ts';
import { eachLayer, type ModelConfig } from './config.ts';
import type { Step } from './decoder.ts';
import type { Keys } from './keys.ts';
import {
  type AttentionWeights,
  attend,
  type FeedForwardWeights,
  gated,
  loadAttention,
  loadFeedForward,
  loadHeadNorms,
} from './layers.ts';
import { project } from './project.ts';
import type { Tensors } from './tensors.ts';

/** A layer of Gemma 2 and 3: norms before and after attention and the feed-forward network. */
export interface SandwichLayer {
  readonly attentionNorm: Vector;
  readonly attention: AttentionWeights;
  readonly attentionPostNorm: Vector;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights;
  readonly feedForwardPostNorm: Vector;
  readonly rope: RopeTable;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number;
}

/** What a layer's place in the model decides. */
export type Placement = Pick<SandwichLayer, 'rope' | 'window'>;

export async function loadSandwichLayers(
  tensors: Tensors,
  config: ModelConfig,
  headNorms: boolean,
  place: (layer: number) => Placement,
): Promise<SandwichLayer[]> {
  const norm = (name: string) => tensors.vector(`${name}.weight`, config.width);
  return eachLayer(config, async (prefix, layer) => ({
    ...place(layer),
    attentionNorm: await norm(`${prefix}.attn_norm`),
    attention: {
      ...(await loadAttention(tensors, prefix, config)),
      ...(headNorms ? await loadHeadNorms(tensors, prefix, config) : {}),
    },
    attentionPostNorm: await norm(`${prefix}.post_attention_norm`),
    feedForwardNorm: await norm(`${prefix}.ffn_norm`),
    feedForward: await loadFeedForward(tensors, prefix, config),
    feedForwardPostNorm: await norm(`${prefix}.post_ffw_norm`),
  }));
}

/** x += postNorm(attention(norm(x))); x += postNorm(feedForward(norm(x))) */
export function sandwichBlock(
  layers: readonly SandwichLayer[],
  options: { scale: number; softcap?: number },
): (step: Step, layer: number) => void {
  return (step, layer) => {
    const { backend, config, work, batch } = step;
    const { hidden, normed, mixed, gate } = work;
    const { epsilon } = config;
    const weights = layers[layer];

    backend.rmsNorm(normed, hidden, weights.attentionNorm, epsilon, batch.tokens);
    attend(step, layer, weights.attention, weights.rope, { heads: config.heads, window: weights.window, ...options });
    project(step, [{ out: normed, ...weights.attention.output }], mixed);
    backend.rmsNorm(normed, normed, weights.attentionPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);

    backend.rmsNorm(normed, hidden, weights.feedForwardNorm, epsilon, batch.tokens);
    gated(step, weights.feedForward, 'gelu');
    project(step, [{ out: normed, ...weights.feedForward.down }], gate);
    backend.rmsNorm(normed, normed, weights.feedForwardPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);
  };
}

/**
 * 1 / sqrt(headDim), but for the 27B models, which divide by sqrt(width / heads). Files do not say so; llama.cpp knows them by
 * their number of layers too.
 */
export function attentionScale(config: ModelConfig, layersOf27B: number): number {
  return 1 / Math.sqrt(config.layers === layersOf27B ? Math.floor(config.width / config.heads) : config.headDim);
}

/** Which layers slide: all but every n-th, where the file may say n, or say it for each layer. */
export function slidingLayers(keys: Keys, config: ModelConfig, every: number): boolean[] {
  const key = `${keys.architecture}.attention.sliding_window_pattern`;
  const given = keys.meta.metadata.get(key);
  if (typeof given !== 'object') {
    const n = keys.maybe('attention.sliding_window_pattern', { min: 0, max: config.layers, integer: true }) ?? every;
    return Array.from({ length: config.layers }, (_, layer) => n === 0 || layer % n < n - 1);
  }
  const flags = Array.from(given as ArrayLike<unknown>, Boolean);
  return flags.length === config.layers ? flags : keys.meta.fail(key, `has ${flags.length} layers of ${config.layers}`);
}

/** A window of at least one token, or none. */
export function readWindow(keys: Keys, missing?: number): number | undefined {
  return keys.maybe('attention.sliding_window', { min: 0, max: 2 ** 31, integer: true }) || missing;
}

/** A cap on scores or logits; 0 means none. */
export function readCap(keys: Keys, key: string, missing?: number): number | undefined {
  return (keys.maybe(key, { min: 0, max: 1e6 }) ?? missing) || undefined;
}
