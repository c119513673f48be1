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
import { type ExpertOptions, type ExpertWeights, MoE } from './moe.ts';
import { project } from './project.ts';
import { type RopeOptions, readRope } from './rope.ts';

/** A layer that normalises before attention and before the feed-forward network, and adds each to the stream. */
interface PreNormLayer {
  readonly attentionNorm: Vector;
  readonly attention: AttentionWeights;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights | ExpertWeights;
  readonly rope: RopeTable;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number | undefined;
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
  readonly expertOptions?: ExpertOptions;
  /** The window of each layer that has one. */
  readonly windows?: (loading: Loading) => readonly (number | undefined)[];
  /** The name of the norm before the feed-forward network. Default ffn_norm. */
  readonly feedForwardNorm?: string;
}

/** Llama's layers, and those of all who follow it. */
export function preNorm(options: PreNormOptions): LoadLayers {
  const { attention = loadAttention, feedForward = loadFeedForward, feedForwardNorm = 'ffn_norm' } = options;
  return async loading => {
    const { backend, keys, config, tensors } = loading;
    const factors = await options.ropeFactors?.(loading);
    const { kvTokens } = loading.options;
    const rope = backend.ropeTable(readRope(keys, config, { style: options.rope, kvTokens, factors }));
    const expertWidth = options.experts?.(loading);
    const moe = expertWidth === undefined ? undefined : new MoE(loading, expertWidth, options.expertOptions);
    const windows = options.windows?.(loading);
    return eachLayer(config, async (prefix, layer) => {
      const weights = {
        attentionNorm: await tensors.vector(`${prefix}.attn_norm.weight`, config.width),
        attention: await attention(loading, prefix),
        feedForwardNorm: await tensors.vector(`${prefix}.${feedForwardNorm}.weight`, config.width),
        feedForward: moe ? await moe.load(tensors, prefix) : await feedForward(loading, prefix),
        rope,
        window: windows?.[layer],
      };
      return preNormBlock(weights);
    });
  };
}

/** x += attention(norm(x)); x += feedForward(norm(x)) */
function preNormBlock(weights: PreNormLayer): Block {
  const { attentionNorm, attention, feedForwardNorm, feedForward, rope, window } = weights;
  const { sinks } = attention;
  return (step, layer) => {
    const { backend, config, work, batch } = step;

    backend.rmsNorm(work.normed, work.hidden, attentionNorm, config.epsilon, batch.tokens);
    attend(step, layer, attention, rope, { heads: config.heads, scale: 1 / Math.sqrt(config.headDim), window, sinks });
    project(step, [{ out: work.hidden, ...attention.output }], work.mixed, { accumulate: true });

    backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, config.epsilon, batch.tokens);
    if ('router' in feedForward) return feedForward.moe.apply(step, feedForward);
    gated(step, feedForward, 'silu');
    project(step, [{ out: work.hidden, ...feedForward.down }], work.gate, { accumulate: true });
  };
}
