import { defineArchitecture } from '../architecture.ts';
import { loadWholeNormedAttention } from '../layers.ts';
import { readLocalRope, readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';
import { readWindow, slidingLayers } from '../window.ts';

/**
 * OLMo 2 and 3: norms behind attention and the feed-forward network, none before; one over all heads of queries and one over those
 * of keys. OLMo 3 has windows in all but every fourth layer, whose rotations are not stretched. arXiv:2501.00656
 */
export const olmo2 = defineArchitecture({
  name: 'olmo2',
  layers: sandwich({
    attention: loadWholeNormedAttention,
    activation: 'silu',
    preNorms: false,
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const style = 'halves';
      const global = { rope: backend.ropeTable(readRope(keys, config, { style, kvTokens })) };
      const window = readWindow(keys);
      const local = {
        rope: backend.ropeTable(readLocalRope(keys, config, { style, kvTokens, baseKey: 'rope.freq_base' })),
        window,
      };
      const slides = slidingLayers(keys, config, 4);
      return { place: layer => (window && slides[layer] ? local : global) };
    },
  }),
});
