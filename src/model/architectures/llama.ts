import { defineArchitecture } from '../architecture.ts';
import { readExperts } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** Llama 1 to 3, Mistral, Mixtral, SmolLM2, TinyLlama. arXiv:2302.13971, arXiv:2407.21783 */
export const llama = defineArchitecture({
  name: 'llama',
  layers: preNorm({
    rope: 'adjacent',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    experts: readExperts,
  }),
});
