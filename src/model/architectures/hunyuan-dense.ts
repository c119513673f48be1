import { defineArchitecture } from '../architecture.ts';
import { loadNormedAttention } from '../layers.ts';
import { preNorm } from '../pre-norm.ts';

/** Hunyuan 0.5B to 7B: llama with a norm over each head of queries and keys, behind the rotation. */
export const hunyuanDense = defineArchitecture({
  name: 'hunyuan-dense',
  layers: preNorm({
    rope: 'halves',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    attention: async (loading, prefix) => ({ ...(await loadNormedAttention(loading, prefix)), rotatesFirst: true }),
  }),
});
