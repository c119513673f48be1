import { defineArchitecture } from '../architecture.ts';
import { attentionScale, embeddingScale, readCap } from '../gemma.ts';
import { loadNormedAttention } from '../layers.ts';
import { readLocalRope, readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';
import { readWindow, slidingLayers } from '../window.ts';

/**
 * Gemma 3: every sixth layer sees all, the others a window; those rotate with a lower base and are never stretched. A norm
 * over each head of queries and keys. arXiv:2503.19786
 */
export const gemma3 = defineArchitecture({
  name: 'gemma3',
  embeddingScale,
  logitCap: keys => readCap(keys, 'final_logit_softcapping'),
  layers: sandwich({
    attention: loadNormedAttention,
    activation: 'gelu',
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const style = 'halves';
      const global = { rope: backend.ropeTable(readRope(keys, config, { style, kvTokens })) };
      const window = readWindow(keys);
      const local = { rope: backend.ropeTable(readLocalRope(keys, config, { style, kvTokens })), window };
      const slides = slidingLayers(keys, config, 6);
      return { place: layer => (window && slides[layer] ? local : global), scale: attentionScale(config, 62) };
    },
  }),
});
