import { defineEncoder } from '../architecture.ts';
import { loadBertEntrance } from '../bert-entrance.ts';
import { bertLayers } from '../bert-layers.ts';
import { loadRanking } from '../head.ts';

/** BERT, and RoBERTa: learned positions, norms behind attention and feed-forward network, which has no gate. arXiv:1810.04805 */
export const bert = defineEncoder({
  name: 'bert',
  epsilon: ['attention.layer_norm_epsilon'],
  entrance: loadBertEntrance,
  layers: bertLayers(),
  head: ({ tensors, config }) => loadRanking(tensors, config),
});
