import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { readNarrowExperts } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** Qwen 3's mixtures of experts: its attention, and many small experts instead of a feed-forward network. arXiv:2505.09388 */
export const qwen3moe = defineArchitecture({
  name: 'qwen3moe',
  layers: preNorm({ rope: 'halves', attention: loadNormedAttention, experts: readNarrowExperts }),
});
