import { defineArchitecture } from '../architecture.ts';
import { graniteEnds, graniteExperts, graniteScales } from '../granite.ts';
import { preNorm } from '../pre-norm.ts';

/** Granite 3's and 4's mixtures of experts, some with a shared one. */
export const granitemoe = defineArchitecture({
  name: 'granitemoe',
  ...graniteEnds,
  layers: preNorm({
    rope: 'adjacent',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    scales: graniteScales,
    experts: graniteExperts,
  }),
});
