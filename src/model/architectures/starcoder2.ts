import { defineArchitecture } from '../architecture.ts';
import { loadUngated } from '../layers.ts';
import { preNorm } from '../pre-norm.ts';

/** StarCoder2: LayerNorms, biases, GELU without a gate. Its window is not applied, as llama.cpp does not: files do not have it. arXiv:2402.19173 */
export const starcoder2 = defineArchitecture({
  name: 'starcoder2',
  epsilon: ['attention.layer_norm_epsilon'],
  norm: 'layer',
  layers: preNorm({ rope: 'halves', norm: 'layer', feedForward: loadUngated, activation: 'gelu' }),
});
