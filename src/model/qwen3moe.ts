import { eachLayer, readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { Mixture } from './experts.ts';
import { keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import { preNormBlock } from './llama.ts';
import { loadQwen3Layer } from './qwen3.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Qwen 3's mixtures of experts: its attention, and many small experts instead of a feed-forward network. arXiv:2505.09388 */
export const qwen3moe: Architecture = {
  name: 'qwen3moe',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens: options.kvTokens }));
    const mixture = new Mixture(backend, keys, config, keys.size('expert_feed_forward_length', 1 << 20), options);
    const layers = await eachLayer(config, prefix => loadQwen3Layer(tensors, prefix, config, mixture));
    return createDecoder(backend, options, { config, ...ends, block: preNormBlock(layers, rope) });
  },
};
