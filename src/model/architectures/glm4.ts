import { defineArchitecture } from '../architecture.ts';
import { loadAttention, loadFusedFeedForward } from '../layers.ts';
import { readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';

/**
 * GLM 4 (0414) and Z1: norms before and behind, part of a head rotated, gate and up in one matrix. arXiv:2406.12793. Those
 * that can see rotate halves, by time, height and width, which for text are plain rotations.
 */
export const glm4 = defineArchitecture({
  name: 'glm4',
  layers: sandwich({
    attention: loadAttention,
    feedForward: loadFusedFeedForward,
    activation: 'silu',
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const [time = 0, height = 0] = Array.from(keys.meta.maybeNumbers('glm4.rope.dimension_sections') ?? []);
      const style = time > 0 && height > 0 ? 'halves' : 'adjacent';
      const rope = backend.ropeTable(readRope(keys, config, { style, kvTokens }));
      return { place: () => ({ rope }) };
    },
  }),
});
