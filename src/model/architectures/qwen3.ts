import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { preNorm } from '../pre-norm.ts';

/** Qwen 3: llama with a norm over each head of queries and keys, rotating halves of a head. arXiv:2505.09388 */
export const qwen3 = defineArchitecture({
  name: 'qwen3',
  layers: preNorm({ rope: 'halves', attention: loadNormedAttention }),
});
