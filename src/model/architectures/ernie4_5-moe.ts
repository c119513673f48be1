import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/** ERNIE 4.5's mixtures of experts: chosen with a bias, beside shared ones; the first layers have one feed-forward network. */
export const ernie4_5Moe = defineArchitecture({
  name: 'ernie4_5-moe',
  layers: preNorm({
    rope: 'adjacent',
    dense: ({ keys, config }) => {
      const dense = keys.maybe('leading_dense_block_count', { min: 0, max: config.layers, integer: true }) ?? 0;
      const step = keys.size('interleave_moe_layer_step', most.layers);
      return layer => layer < dense || (layer + 1) % step !== 0;
    },
    experts: loading => {
      const { keys } = loading;
      const width = keys.maybe('expert_shared_feed_forward_length', { min: 0, max: most.feedForward, integer: true });
      return new MoE(loading, keys.size('expert_feed_forward_length', most.feedForward), {
        biased: (tensors, prefix) => tensors.has(`${prefix}.exp_probs_b.bias`),
        shared: width ? { width } : undefined,
      });
    },
  }),
});
