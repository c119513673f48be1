import { createDecoder } from './decoder.ts';
import { attentionScale, loadSandwichLayers, readCap, readWindow, sandwichBlock, slidingLayers } from './gemma.ts';
import { readHyper } from './hyper.ts';
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
    const hyper = readHyper(file);
    const keys = keysOf(file);
    const tensors = new Tensors(file, backend, options.onProgress);
    const ends = await loadEnds(tensors, hyper);
    const ropeOptions = { style: 'halves', kvTokens: options.kvTokens } as const;
    const global = { rope: backend.ropeTable(readRope(keys, hyper, ropeOptions)) };
    const window = readWindow(keys);
    const local = { rope: backend.ropeTable(readLocalRope(keys, hyper, ropeOptions)), window };
    const slides = slidingLayers(keys, hyper, 6);
    const place = (layer: number) => (window && slides[layer] ? local : global);
    const layers = await loadSandwichLayers(tensors, hyper, true, place);
    return createDecoder(backend, options, {
      hyper,
      ...ends,
      embeddingScale: Math.sqrt(hyper.width),
      block: sandwichBlock(layers, { scale: attentionScale(hyper, 62) }),
      logitCap: readCap(keys, 'final_logit_softcapping'),
    });
  },
};
