import { eachLayer, type ModelConfig, readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import type { Mixture } from './experts.ts';
import { keysOf } from './keys.ts';
import { loadEnds, loadHeadNorms } from './layers.ts';
import { loadLayer, type PreNormLayer, preNormBlock } from './llama.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Qwen 3: llama with a norm over each head of queries and keys, rotating halves of a head. arXiv:2505.09388 */
export const qwen3: Architecture = {
  name: 'qwen3',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const rope = backend.ropeTable(readRope(keysOf(file), config, { style: 'halves', kvTokens: options.kvTokens }));
    const layers = await eachLayer(config, prefix => loadQwen3Layer(tensors, prefix, config));
    return createDecoder(backend, options, { config, ...ends, block: preNormBlock(layers, rope) });
  },
};

export async function loadQwen3Layer(
  tensors: Tensors,
  prefix: string,
  config: ModelConfig,
  mixture?: Mixture,
): Promise<PreNormLayer> {
  const layer = await loadLayer(tensors, prefix, config, mixture);
  return { ...layer, attention: { ...layer.attention, ...(await loadHeadNorms(tensors, prefix, config)) } };
}
