import { defineArchitecture } from '../architecture.ts';
import { attentionScale, embeddingScale, readCap } from '../gemma.ts';
import { loadAttention } from '../layers.ts';
import { readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';
import { readWindow, slidingLayers } from '../window.ts';

/** Gemma 2: every second layer sees all, the others a window; caps on scores and logits. arXiv:2408.00118 */
export const gemma2 = defineArchitecture({
  name: 'gemma2',
  embeddingScale,
  logitCap: keys => readCap(keys, 'final_logit_softcapping', 30),
  layers: sandwich({
    attention: loadAttention,
    activation: 'gelu',
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens }));
      const window = readWindow(keys, 4096);
      const slides = slidingLayers(keys, config, 2);
      return {
        place: layer => ({ rope, window: slides[layer] ? window : undefined }),
        scale: attentionScale(config, 46),
        softcap: readCap(keys, 'attn_logit_softcapping', 50),
      };
    },
  }),
});
