import { eachLayer, readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import { loadLayer, preNormBlock } from './llama.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Qwen 2 and 2.5: llama with biases on queries, keys and values, rotating halves of a head. arXiv:2407.10671 */
export const qwen2: Architecture = {
  name: 'qwen2',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const rope = backend.ropeTable(readRope(keysOf(file), config, { style: 'halves', kvTokens: options.kvTokens }));
    const layers = await eachLayer(config, prefix => loadLayer(tensors, prefix, config));
    return createDecoder(backend, options, { config, ...ends, block: preNormBlock(layers, rope) });
  },
};
