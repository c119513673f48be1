import { defineArchitecture } from '../architecture.ts';
import { loadAttention, loadFusedFeedForward } from '../layers.ts';
import { readRope } from '../rope.ts';
import { sandwich } from '../sandwich.ts';

/** GLM 4 (0414) and Z1: norms before and behind, part of a head rotated, gate and up in one matrix. arXiv:2406.12793 */
export const glm4 = defineArchitecture({
  name: 'glm4',
  layers: sandwich({
    attention: loadAttention,
    feedForward: loadFusedFeedForward,
    activation: 'silu',
    read: ({ backend, keys, config, options: { kvTokens } }) => {
      const rope = backend.ropeTable(readRope(keys, config, { style: 'adjacent', kvTokens }));
      return { place: () => ({ rope }) };
    },
  }),
});
