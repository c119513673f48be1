import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { graniteEnds, graniteScales } from '../granite.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** Granite 3's and 4's mixtures of experts, some with a shared one; what a layer adds is scaled by scaling its experts' weights. */
export const granitemoe = defineArchitecture({
  name: 'granitemoe',
  ...graniteEnds,
  layers: preNorm({
    rope: 'adjacent',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    scales: graniteScales,
    experts: loading => {
      const { keys, config } = loading;
      const scale = graniteScales(keys).residual;
      const width = keys.maybe('expert_shared_feed_forward_length', { min: 0, max: most.feedForward, integer: true });
      return new MoE(loading, config.feedForward, { router: { scale }, shared: width ? { width, scale } : undefined });
    },
  }),
});
