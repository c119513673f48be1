import { defineEncoder } from '../architecture.ts';
import { embeddingScale, placesOfGemma3 } from '../gemma.ts';
import { loadDenseLayers } from '../head.ts';
import { loadNormedAttention } from '../layers.ts';
import { sandwich } from '../sandwich.ts';

/** EmbeddingGemma: Gemma 3's layers, whose tokens see what follows too; two matrices behind the pooling. arXiv:2509.20354 */
export const gemmaEmbedding = defineEncoder({
  name: 'gemma-embedding',
  embeddingScale,
  outputNorm: true,
  layers: sandwich({
    attention: loadNormedAttention,
    activation: 'gelu',
    read: loading => ({ place: placesOfGemma3(loading), twoWay: true }),
  }),
  head: ({ tensors, config, keys }) => loadDenseLayers(tensors, config, keys),
});
