import { defineArchitecture } from '../architecture.ts';
import { attentionScale, embeddingScale, placesOfGemma3, readCap } from '../gemma.ts';
import { loadNormedAttention } from '../layers.ts';
import { sandwich } from '../sandwich.ts';

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
    read: loading => ({ place: placesOfGemma3(loading), scale: attentionScale(loading.config, 62) }),
  }),
});
