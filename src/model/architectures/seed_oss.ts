import { defineArchitecture } from '../architecture.ts';
import { preNorm } from '../pre-norm.ts';

/** Seed-OSS: llama with biases on queries, keys and values, rotating halves of a head. */
export const seed_oss = defineArchitecture({
  name: 'seed_oss',
  layers: preNorm({ rope: 'halves', feedForwardNorm: 'post_attention_norm' }),
});
