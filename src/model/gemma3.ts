import { readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { attentionScale, loadSandwichLayers, readCap, readWindow, sandwichBlock, slidingLayers } from './gemma.ts';
import { keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import { readLocalRope, readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/**
 * Gemma 3: every sixth layer sees all, the others a window; those rotate with a lower base and are never stretched. A norm
 * over each head of queries and keys. arXiv:2503.19786
 */
export const gemma3: Architecture = {
  name: 'gemma3',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const ropeOptions = { style: 'halves', kvTokens: options.kvTokens } as const;
    const global = { rope: backend.ropeTable(readRope(keys, config, ropeOptions)) };
    const window = readWindow(keys);
    const local = { rope: backend.ropeTable(readLocalRope(keys, config, ropeOptions)), window };
    const slides = slidingLayers(keys, config, 6);
    const place = (layer: number) => (window && slides[layer] ? local : global);
    const layers = await loadSandwichLayers(tensors, config, true, place);
    return createDecoder(backend, options, {
      config,
      ...ends,
      embeddingScale: Math.sqrt(config.width),
      block: sandwichBlock(layers, { scale: attentionScale(config, 62) }),
      logitCap: readCap(keys, 'final_logit_softcapping'),
    });
  },
};
