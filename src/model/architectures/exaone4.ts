import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';
import { readWindow, slidingLayers } from '../window.ts';

/** Files do not say that the small model has no windows; llama.cpp knows the large one by its layers too. */
const layersWithWindows = 64;

/**
 * EXAONE 4: norms behind attention and the feed-forward network, none before. In the large model every fourth layer sees all and
 * does not rotate; the others have a window. arXiv:2507.11407
 */
export const exaone4 = defineArchitecture({
  name: 'exaone4',
  layers: sandwich({
    attention: loadNormedAttention,
    activation: 'silu',
    preNorms: false,
    read: async ({ backend, keys, config, tensors, options: { kvTokens } }) => {
      const factors = await tensors.maybeFloats('rope_freqs.weight', config.headDim / 2);
      const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens, factors }));
      if (config.layers !== layersWithWindows) return { place: () => ({ rope }) };
      const window = readWindow(keys, 4096);
      const slides = slidingLayers(keys, config, 4);
      return { place: layer => (slides[layer] ? { rope, window } : { rope: undefined }) };
    },
  }),
});
