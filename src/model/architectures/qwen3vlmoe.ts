import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { readNarrowExperts } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** The language model of Qwen 3 VL's mixtures of experts: qwen3moe for text. arXiv:2511.21631 */
export const qwen3vlmoe = defineArchitecture({
  name: 'qwen3vlmoe',
  layers: preNorm({ rope: 'halves', attention: loadNormedAttention, experts: readNarrowExperts }),
});
