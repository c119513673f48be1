import type { Activation, RopeTable } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer, type ModelConfig } from './config.ts';
import type { Block } from './decoder.ts';
import type { Keys } from './keys.ts';
import {
  type AttentionWeights,
  addProduct,
  attend,
  type FeedForwardWeights,
  gated,
  loadAttention,
  loadFeedForward,
  type UngatedWeights,
  ungated,
} from './layers.ts';
import type { Loading } from './loading.ts';
import type { ExpertWeights, MoE } from './moe.ts';
import { loadNorm, type Norm, type NormKind, normalise } from './norm.ts';
import { type RopeOptions, readRope, readTemperature } from './rope.ts';

/** A layer that normalises before attention and before the feed-forward network, and adds each to the stream. */
interface PreNormLayer {
  readonly attentionNorm: Norm;
  readonly attention: AttentionWeights;
  readonly feedForwardNorm: Norm;
  readonly feedForward: FeedForwardWeights | UngatedWeights | ExpertWeights;
  /** Absent in a layer that does not rotate. */
  readonly rope: RopeTable | undefined;
  readonly queryRope: RopeTable | undefined;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number | undefined;
}

/** How such layers differ between architectures. */
interface PreNormOptions {
  /** Which dimensions of a head are rotated together. */
  readonly rope: RopeOptions['style'];
  /** Divisors of the rotations' frequencies, where a file brings them. */
  readonly ropeFactors?: (loading: Loading) => Promise<Float32Array | undefined>;
  /** Whether queries are sharpened by position, where the file says so. */
  readonly temperature?: boolean;
  /** Whether a layer rotates its queries and keys. Default: all do. */
  readonly rotates?: (layer: number) => boolean;
  readonly attention?: (loading: Loading, prefix: string) => Promise<AttentionWeights>;
  readonly feedForward?: (loading: Loading, prefix: string) => Promise<FeedForwardWeights | UngatedWeights>;
  /** The window of each layer that has one. */
  readonly windows?: (loading: Loading) => readonly (number | undefined)[];
  /** The kind of all norms. Default RMSNorm. */
  readonly norm?: NormKind;
  /** What the norm before the feed-forward network is called. Default `ffn_norm`. */
  readonly feedForwardNorm?: string;
  /** What a feed-forward network's gate goes through, or what goes into its last matrix where there is no gate. Default SiLU. */
  readonly activation?: Activation;
  /** The mixture of experts, where a file has one. */
  readonly experts?: (loading: Loading) => MoE | undefined;
  /** Whether a layer of a model with experts has one feed-forward network instead. Default: none has. */
  readonly dense?: (loading: Loading) => (layer: number) => boolean;
  readonly scales?: (keys: Keys, config: ModelConfig) => PreNormScales;
}

/** Factors that a file may bring. */
interface PreNormScales {
  /** On q·k. Default 1 / sqrt(headDim). */
  readonly attention?: number | undefined;
  /** On what a layer adds to the stream. */
  readonly residual?: number | undefined;
}

/** Llama's layers, and those of all who follow it. */
export function preNorm(options: PreNormOptions): LoadLayers {
  const { attention = loadAttention, feedForward = loadFeedForward, feedForwardNorm = 'ffn_norm' } = options;
  return async loading => {
    const { keys, config, tensors } = loading;
    const { rope, queryRope } = await ropes(options, loading);
    const moe = options.experts?.(loading);
    const dense = options.dense?.(loading);
    const windows = options.windows?.(loading);
    const { activation } = options;
    const how = { activation, ...options.scales?.(keys, config) };
    return eachLayer(config, async (prefix, layer) => {
      const rotates = options.rotates?.(layer) ?? true;
      const weights = {
        attentionNorm: await loadNorm(loading, `${prefix}.attn_norm`, options.norm),
        attention: await attention(loading, prefix),
        feedForwardNorm: await loadNorm(loading, `${prefix}.${feedForwardNorm}`, options.norm),
        feedForward: moe && !dense?.(layer) ? await moe.load(tensors, prefix) : await feedForward(loading, prefix),
        rope: rotates ? rope : undefined,
        queryRope: rotates ? queryRope : undefined,
        window: windows?.[layer],
      };
      return preNormBlock(weights, how);
    });
  };
}

/** The rotations of keys, and those of queries. */
async function ropes(options: PreNormOptions, loading: Loading): Promise<{ rope: RopeTable; queryRope: RopeTable }> {
  const { backend, keys, config } = loading;
  const factors = await options.ropeFactors?.(loading);
  const spec = readRope(keys, config, { style: options.rope, kvTokens: loading.options.kvTokens, factors });
  const rope = backend.ropeTable(spec);
  const temperature = options.temperature && readTemperature(keys, config);
  return { rope, queryRope: temperature ? backend.ropeTable({ ...spec, temperature }) : rope };
}

/** x += residual * attention(norm(x)); x += residual * feedForward(norm(x)) */
function preNormBlock(
  { attentionNorm, attention, feedForwardNorm, feedForward, rope, queryRope, window }: PreNormLayer,
  { activation = 'silu', attention: scale, residual }: PreNormScales & { activation?: Activation | undefined },
): Block {
  const { sinks } = attention;
  return (step, layer) => {
    const { config, work, batch } = step;

    normalise(step, work.normed, work.hidden, attentionNorm, batch.tokens);
    const options = { heads: config.heads, scale: scale ?? 1 / Math.sqrt(config.headDim), window, sinks };
    attend(step, layer, attention, rope, options, { queryRope });
    addProduct(step, attention.output, work.mixed, residual);

    normalise(step, work.normed, work.hidden, feedForwardNorm, batch.tokens);
    if ('router' in feedForward) return feedForward.moe.apply(step, feedForward);
    if ('gate' in feedForward) gated(step, feedForward, activation);
    else ungated(step, feedForward, activation);
    addProduct(step, feedForward.down, work.gate, residual);
  };
}
