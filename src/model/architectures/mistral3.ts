import { defineArchitecture } from '../architecture.ts';
import { readExperts } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** Ministral 3, Devstral 2: llama stretched by YaRN, with queries that are sharpened behind the original context. */
export const mistral3 = defineArchitecture({
  name: 'mistral3',
  layers: preNorm({
    rope: 'adjacent',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    temperature: true,
    experts: readExperts,
  }),
});
