import type { RopeTable, Vector } from '../backend/backend.ts';
import { eachLayer, type ModelConfig, readModelConfig } from './config.ts';
import { createDecoder, type Step } from './decoder.ts';
import { type Experts, Mixture } from './experts.ts';
import { keysOf } from './keys.ts';
import {
  type AttentionWeights,
  attend,
  type FeedForwardWeights,
  gated,
  loadAttention,
  loadEnds,
  loadFeedForward,
} from './layers.ts';
import { project } from './project.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** A layer that normalises before attention and before the feed-forward network, and adds each to the stream. */
export interface PreNormLayer {
  readonly attentionNorm: Vector;
  readonly attention: AttentionWeights;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights | Experts;
}

/** Llama 1 to 3, Mistral, Mixtral, SmolLM2, TinyLlama. arXiv:2302.13971, arXiv:2407.21783 */
export const llama: Architecture = {
  name: 'llama',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const factors = await tensors.maybeFloats('rope_freqs.weight', config.headDim / 2);
    const rope = backend.ropeTable(readRope(keys, config, { style: 'adjacent', kvTokens: options.kvTokens, factors }));
    const mixture = keys.maybe('expert_count')
      ? new Mixture(backend, keys, config, config.feedForward, options)
      : undefined;
    const layers = await eachLayer(config, prefix => loadLayer(tensors, prefix, config, mixture));
    return createDecoder(backend, options, { config, ...ends, block: preNormBlock(layers, rope) });
  },
};

export async function loadLayer(
  tensors: Tensors,
  prefix: string,
  config: ModelConfig,
  mixture?: Mixture,
): Promise<PreNormLayer> {
  return {
    attentionNorm: await tensors.vector(`${prefix}.attn_norm.weight`, config.width),
    attention: await loadAttention(tensors, prefix, config),
    feedForwardNorm: await tensors.vector(`${prefix}.ffn_norm.weight`, config.width),
    feedForward: mixture ? await mixture.load(tensors, prefix) : await loadFeedForward(tensors, prefix, config),
  };
}

/** x += attention(norm(x)); x += feedForward(norm(x)) */
export function preNormBlock(layers: readonly PreNormLayer[], rope: RopeTable): (step: Step, layer: number) => void {
  return (step, layer) => {
    const { backend, config, work, batch } = step;
    const { attentionNorm, attention, feedForwardNorm, feedForward } = layers[layer];

    backend.rmsNorm(work.normed, work.hidden, attentionNorm, config.epsilon, batch.tokens);
    attend(step, layer, attention, rope, { heads: config.heads, scale: 1 / Math.sqrt(config.headDim) });
    project(step, [{ out: work.hidden, ...attention.output }], work.mixed, { accumulate: true });

    backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, config.epsilon, batch.tokens);
    if ('router' in feedForward) return feedForward.mixture.apply(step, feedForward);
    gated(step, feedForward, 'silu');
    project(step, [{ out: work.hidden, ...feedForward.down }], work.gate, { accumulate: true });
  };
}
