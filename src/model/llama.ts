import type { RopeTable, Vector } from '../backend/backend.ts';
import { createDecoder, type Step } from './decoder.ts';
import { type Experts, Mixture } from './experts.ts';
import { eachLayer, type Hyper, readHyper } from './hyper.ts';
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
    const hyper = readHyper(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, hyper);
    const factors = await tensors.maybeFloats('rope_freqs.weight', hyper.headDim / 2);
    const rope = backend.ropeTable(readRope(keys, hyper, { style: 'adjacent', kvTokens: options.kvTokens, factors }));
    const mixture = keys.maybe('expert_count')
      ? new Mixture(backend, keys, hyper, hyper.feedForward, options)
      : undefined;
    const layers = await eachLayer(hyper, prefix => loadLayer(tensors, prefix, hyper, mixture));
    return createDecoder(backend, options, { hyper, ...ends, block: preNormBlock(layers, rope) });
  },
};

export async function loadLayer(
  tensors: Tensors,
  prefix: string,
  hyper: Hyper,
  mixture?: Mixture,
): Promise<PreNormLayer> {
  return {
    attentionNorm: await tensors.vector(`${prefix}.attn_norm.weight`, hyper.width),
    attention: await loadAttention(tensors, prefix, hyper),
    feedForwardNorm: await tensors.vector(`${prefix}.ffn_norm.weight`, hyper.width),
    feedForward: mixture ? await mixture.load(tensors, prefix) : await loadFeedForward(tensors, prefix, hyper),
  };
}

/** x += attention(norm(x)); x += feedForward(norm(x)) */
export function preNormBlock(layers: readonly PreNormLayer[], rope: RopeTable): (step: Step, layer: number) => void {
  return (step, layer) => {
    const { backend, hyper, work, batch } = step;
    const { attentionNorm, attention, feedForwardNorm, feedForward } = layers[layer];

    backend.rmsNorm(work.normed, work.hidden, attentionNorm, hyper.epsilon, batch.tokens);
    attend(step, layer, attention, rope, { heads: hyper.heads, scale: 1 / Math.sqrt(hyper.headDim) });
    project(step, [{ out: work.hidden, ...attention.output }], work.mixed, { accumulate: true });

    backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, hyper.epsilon, batch.tokens);
    if ('router' in feedForward) return feedForward.mixture.apply(step, feedForward);
    gated(step, feedForward, 'silu');
    project(step, [{ out: work.hidden, ...feedForward.down }], work.gate, { accumulate: true });
  };
}
