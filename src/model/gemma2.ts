import { readModelConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { attentionScale, loadSandwichLayers, readCap, readWindow, sandwichBlock, slidingLayers } from './gemma.ts';
import { keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Gemma 2: every second layer sees all, the others a window; caps on scores and logits. arXiv:2408.00118 */
export const gemma2: Architecture = {
  name: 'gemma2',
  async load(file, backend, options) {
    const config = readModelConfig(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, config);
    const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens: options.kvTokens }));
    const window = readWindow(keys, 4096);
    const slides = slidingLayers(keys, config, 2);
    const place = (layer: number) => ({ rope, window: slides[layer] ? window : undefined });
    const layers = await loadSandwichLayers(tensors, config, false, place);
    const attention = { scale: attentionScale(config, 46), softcap: readCap(keys, 'attn_logit_softcapping', 50) };
    return createDecoder(backend, options, {
      config,
      ...ends,
      embeddingScale: Math.sqrt(config.width),
      block: sandwichBlock(layers, attention),
      logitCap: readCap(keys, 'final_logit_softcapping', 30),
    });
  },
};
