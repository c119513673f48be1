import { defineArchitecture } from '../architecture.ts';
import { loadFusedFeedForward } from '../layers.ts';
import type { Loading } from '../loading.ts';
import { preNorm } from '../pre-norm.ts';
import { longest, originalContext, ropeDimensions } from '../rope.ts';

/**
 * Phi 3, 3.5 and 4: llama with queries, keys and values in one matrix, gate and up in another; they are cut apart by rows.
 * The sliding window in their metadata is not applied, as llama.cpp does not: files state it wrongly. arXiv:2404.14219
 */
export const phi3 = defineArchitecture({
  name: 'phi3',
  layers: preNorm({
    rope: 'halves',
    ropeFactors: loadFactors,
    feedForward: loadFusedFeedForward,
  }),
});

/** Long-context models bring two sets of divisors, for sequences within the original context and beyond it. */
function loadFactors({ keys, config, options, tensors }: Loading): Promise<Float32Array | undefined> {
  const long = longest(config, options.kvTokens) > originalContext(keys, config);
  const divisors = `rope_factors_${long ? 'long' : 'short'}.weight`;
  return tensors.maybeFloats(divisors, ropeDimensions(keys, config) / 2);
}
