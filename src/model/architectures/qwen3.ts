import { defineArchitecture } from '../architecture.ts';
import { loadRanking } from '../head.ts';
import { loadNormedAttention } from '../layers.ts';
import { preNorm } from '../pre-norm.ts';

/**
 * Qwen 3: llama with a norm over each head of queries and keys, rotating halves of a head; its rerankers weigh "yes" against "no".
 * arXiv:2505.09388, arXiv:2506.05176
 */
export const qwen3 = defineArchitecture({
  name: 'qwen3',
  head: ({ tensors, config }) => loadRanking(tensors, config, { softmax: true }),
  layers: preNorm({ rope: 'halves', attention: loadNormedAttention }),
});
