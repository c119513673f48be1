import { createDecoder } from './decoder.ts';
import { attentionScale, loadSandwichLayers, readCap, readWindow, sandwichBlock, slidingLayers } from './gemma.ts';
import { readHyper } from './hyper.ts';
import { keysOf } from './keys.ts';
import { loadEnds } from './layers.ts';
import { readRope } from './rope.ts';
import { Tensors } from './tensors.ts';
import type { Architecture } from './types.ts';

/** Gemma 2: every second layer sees all, the others a window; caps on scores and logits. arXiv:2408.00118 */
export const gemma2: Architecture = {
  name: 'gemma2',
  async load(file, backend, options) {
    const hyper = readHyper(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, hyper);
    const rope = backend.ropeTable(readRope(keys, hyper, { style: 'halves', kvTokens: options.kvTokens }));
    const window = readWindow(keys, 4096);
    const slides = slidingLayers(keys, hyper, 2);
    const place = (layer: number) => ({ rope, window: slides[layer] ? window : undefined });
    const layers = await loadSandwichLayers(tensors, hyper, false, place);
    const attention = { scale: attentionScale(hyper, 46), softcap: readCap(keys, 'attn_logit_softcapping', 50) };
    return createDecoder(backend, options, {
      hyper,
      ...ends,
      embeddingScale: Math.sqrt(hyper.width),
      block: sandwichBlock(layers, attention),
      logitCap: readCap(keys, 'final_logit_softcapping', 30),
    });
  },
};
