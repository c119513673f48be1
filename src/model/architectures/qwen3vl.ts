import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { preNorm } from '../pre-norm.ts';

/** Qwen 3 VL's language model: qwen3, as rotations by time, height and width are plain ones for text. arXiv:2511.21631 */
export const qwen3vl = defineArchitecture({
  name: 'qwen3vl',
  layers: preNorm({ rope: 'halves', attention: loadNormedAttention }),
});
