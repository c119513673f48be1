import { defineEncoder } from '../architecture.ts';
import { loadBertEntrance } from '../bert-entrance.ts';
import { bertLayers } from '../bert-layers.ts';
import { loadRanking } from '../head.ts';
import { readRope } from '../rope.ts';

/** Nomic's BERT: rotations in the place of learned positions, and a gated feed-forward network. arXiv:2402.01613 */
export const nomicBert = defineEncoder({
  name: 'nomic-bert',
  epsilon: ['attention.layer_norm_epsilon'],
  entrance: loadBertEntrance,
  layers: bertLayers({
    gated: true,
    rope: ({ backend, keys, config, options: { kvTokens } }) =>
      backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens })),
  }),
  head: ({ tensors, config }) => loadRanking(tensors, config),
});
