import type { RopeTable, Vector } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import type { Block } from './decoder.ts';
import {
  type AttentionWeights,
  attend,
  type FeedForwardWeights,
  gated,
  loadAttention,
  loadFeedForward,
} from './layers.ts';
import type { Loading } from './loading.ts';
import { type ExpertWeights, MoE } from './moe.ts';
import { project } from './project.ts';
import { type RopeOptions, readRope } from './rope.ts';

/** A layer that normalises before attention and before the feed-forward network, and adds each to the stream. */
interface PreNormLayer {
  readonly attentionNorm: Vector;
  readonly attention: AttentionWeights;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights | ExpertWeights;
}

/** How such layers differ between architectures. */
interface PreNormOptions {
  /** Which dimensions of a head are rotated together. */
  readonly rope: RopeOptions['style'];
  /** Divisors of the rotations' frequencies, where a file brings them. */
  readonly ropeFactors?: (loading: Loading) => Promise<Float32Array | undefined>;
  readonly attention?: (loading: Loading, prefix: string) => Promise<AttentionWeights>;
  readonly feedForward?: (loading: Loading, prefix: string) => Promise<FeedForwardWeights>;
  /** Width of an expert's network; undefined where a file has no experts. */
  readonly experts?: (loading: Loading) => number | undefined;
}

/** Llama's layers, and those of all who follow it. */
export function preNorm(options: PreNormOptions): LoadLayers {
  const { attention = loadAttention, feedForward = loadFeedForward } = options;
  return async loading => {
    const { backend, keys, config, tensors } = loading;
    const factors = await options.ropeFactors?.(loading);
    const { kvTokens } = loading.options;
    const rope = backend.ropeTable(readRope(keys, config, { style: options.rope, kvTokens, factors }));
    const expertWidth = options.experts?.(loading);
    const moe = expertWidth === undefined ? undefined : new MoE(loading, expertWidth);
    return eachLayer(config, async prefix => {
      const layer = {
        attentionNorm: await tensors.vector(`${prefix}.attn_norm.weight`, config.width),
        attention: await attention(loading, prefix),
        feedForwardNorm: await tensors.vector(`${prefix}.ffn_norm.weight`, config.width),
        feedForward: moe ? await moe.load(tensors, prefix) : await feedForward(loading, prefix),
      };
      return preNormBlock(layer, rope);
    });
  };
}

/** x += attention(norm(x)); x += feedForward(norm(x)) */
function preNormBlock(
  { attentionNorm, attention, feedForwardNorm, feedForward }: PreNormLayer,
  rope: RopeTable,
): Block {
  return (step, layer) => {
    const { backend, config, work, batch } = step;

    backend.rmsNorm(work.normed, work.hidden, attentionNorm, config.epsilon, batch.tokens);
    attend(step, layer, attention, rope, { heads: config.heads, scale: 1 / Math.sqrt(config.headDim) });
    project(step, [{ out: work.hidden, ...attention.output }], work.mixed, { accumulate: true });

    backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, config.epsilon, batch.tokens);
    if ('router' in feedForward) return feedForward.moe.apply(step, feedForward);
    gated(step, feedForward, 'silu');
    project(step, [{ out: work.hidden, ...feedForward.down }], work.gate, { accumulate: true });
  };
}
