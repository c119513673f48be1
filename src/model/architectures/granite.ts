import { defineArchitecture } from '../architecture.ts';
import { graniteEnds, graniteScales } from '../granite.ts';
import { preNorm } from '../pre-norm.ts';

/** Granite 3 and 4: llama with factors on embeddings, attention, what each layer adds, and logits. */
export const granite = defineArchitecture({
  name: 'granite',
  ...graniteEnds,
  layers: preNorm({
    rope: 'adjacent',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    scales: graniteScales,
  }),
});
