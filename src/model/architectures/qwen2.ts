import { defineArchitecture } from '../architecture.ts';
import { preNorm } from '../pre-norm.ts';

/** Qwen 2 and 2.5: llama with biases on queries, keys and values, rotating halves of a head. arXiv:2407.10671 */
export const qwen2 = defineArchitecture({ name: 'qwen2', layers: preNorm({ rope: 'halves' }) });
