import { eachLayer, type ModelConfig, readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { keysOf } from './keys.ts';
import { type AttentionWeights, type FeedForwardWeights, loadEnds } from './layers.ts';
import { type PreNormLayer, preNormBlock } from './llama.ts';
import { longest, originalContext, readRope, ropeDimensions } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/**
 * Phi 3, 3.5 and 4: llama with queries, keys and values in one matrix, gate and up in another; they are cut apart by rows.
 * Long-context models bring two sets of frequency divisors, for sequences within the original context and beyond it.
 * The sliding window in their metadata is not applied, as llama.cpp does not: files state it wrongly. arXiv:2404.14219
 */
export const phi3: Architecture = {
  name: 'phi3',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const long = longest(config, options.kvTokens) > originalContext(keys, config);
    const divisors = `rope_factors_${long ? 'long' : 'short'}.weight`;
    const factors = await tensors.maybeFloats(divisors, ropeDimensions(keys, config) / 2);
    const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens: options.kvTokens, factors }));
    const layers = await eachLayer(config, prefix => loadLayer(tensors, prefix, config));
    return createDecoder(backend, options, { config, ...ends, block: preNormBlock(layers, rope) });
  },
};

async function loadLayer(tensors: Tensors, prefix: string, config: ModelConfig): Promise<PreNormLayer> {
  return {
    attentionNorm: await tensors.vector(`${prefix}.attn_norm.weight`, config.width),
    attention: await loadFusedAttention(tensors, prefix, config),
    feedForwardNorm: await tensors.vector(`${prefix}.ffn_norm.weight`, config.width),
    feedForward: await loadFusedFeedForward(tensors, prefix, config),
  };
}

async function loadFusedAttention(tensors: Tensors, prefix: string, config: ModelConfig): Promise<AttentionWeights> {
  const { width, heads, kvHeads, headDim } = config;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  const part = (first: number, count: number) =>
    tensors.linear(`${prefix}.attn_qkv`, q + 2 * kv, width, { first, count });
  return {
    q: await part(0, q),
    k: await part(q, kv),
    v: await part(q + kv, kv),
    output: await tensors.linear(`${prefix}.attn_output`, width, q),
  };
}

async function loadFusedFeedForward(
  tensors: Tensors,
  prefix: string,
  config: ModelConfig,
): Promise<FeedForwardWeights> {
  const { width, feedForward } = config;
  const part = (first: number) =>
    tensors.linear(`${prefix}.ffn_up`, 2 * feedForward, width, { first, count: feedForward });
  return {
    gate: await part(0),
    up: await part(feedForward),
    down: await tensors.linear(`${prefix}.ffn_down`, width, feedForward),
  };
}
