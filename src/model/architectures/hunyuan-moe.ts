import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { loadNormedAttention } from '../layers.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** Hunyuan A13B: hunyuan-dense's attention, experts and a shared one. */
export const hunyuanMoe = defineArchitecture({
  name: 'hunyuan-moe',
  layers: preNorm({
    rope: 'halves',
    ropeFactors: ({ tensors, config }) => tensors.maybeFloats('rope_freqs.weight', config.headDim / 2),
    attention: async (loading, prefix) => ({ ...(await loadNormedAttention(loading, prefix)), rotatesFirst: true }),
    experts: loading => {
      const { keys, config } = loading;
      const bounds = { min: 0, max: most.feedForward, integer: true };
      const shared = keys.maybe('expert_shared_feed_forward_length', bounds) || config.feedForward;
      return new MoE(loading, config.feedForward, { shared: { width: shared } });
    },
  }),
});
