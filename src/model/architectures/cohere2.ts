import { defineArchitecture } from '../architecture.ts';
import { parallel } from '../parallel.ts';
import { readRope } from '../rope.ts';
import { readWindow, slidingLayers } from '../window.ts';

/** Command R7B, Command A: command-r's layers; every fourth sees all and does not rotate, the others have a window. */
export const cohere2 = defineArchitecture({
  name: 'cohere2',
  epsilon: ['attention.layer_norm_epsilon'],
  norm: 'layer',
  logitScale: keys => keys.number('logit_scale', { min: 0, max: 1e6 }) || undefined,
  layers: parallel({
    norm: 'layer',
    place: async ({ backend, keys, config, tensors, options: { kvTokens } }) => {
      const factors = await tensors.maybeFloats('rope_freqs.weight', config.headDim / 2);
      const rope = backend.ropeTable(readRope(keys, config, { style: 'adjacent', kvTokens, factors }));
      const window = readWindow(keys);
      const slides = slidingLayers(keys, config, 4);
      return layer => (slides[layer] ? { rope, window } : { rope: undefined });
    },
  }),
});
