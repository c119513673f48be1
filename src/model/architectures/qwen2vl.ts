import { defineArchitecture } from '../architecture.ts';
import { preNorm } from '../pre-norm.ts';

/** Qwen 2's and 2.5's VL, their language model: qwen2, as rotations by time, height and width are plain ones for text. arXiv:2409.12191 */
export const qwen2vl = defineArchitecture({ name: 'qwen2vl', layers: preNorm({ rope: 'halves' }) });
