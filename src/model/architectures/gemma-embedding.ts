import { defineEncoder } from '../architecture.ts';
import { embeddingScale } from '../gemma.ts';
import { loadDenseLayers } from '../head.ts';
import { loadNormedAttention } from '../layers.ts';
import { readLocalRope, readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';
import { readWindow, slidingLayers } from '../window.ts';

/** EmbeddingGemma: Gemma 3's layers, whose tokens see what follows too; two matrices behind the pooling. arXiv:2509.20354 */
export const gemmaEmbedding = defineEncoder({
  name: 'gemma-embedding',
  embeddingScale,
  outputNorm: true,
  layers: sandwich({
    attention: loadNormedAttention,
    activation: 'gelu',
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const style = 'halves';
      const global = { rope: backend.ropeTable(readRope(keys, config, { style, kvTokens })) };
      const window = readWindow(keys);
      const local = { rope: backend.ropeTable(readLocalRope(keys, config, { style, kvTokens })), window };
      const slides = slidingLayers(keys, config, 6);
      return { place: layer => (window && slides[layer] ? local : global), twoWay: true };
    },
  }),
  head: ({ tensors, config, keys }) => loadDenseLayers(tensors, config, keys),
});
