import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';

/**
 * Qwen 1.5's and 2's mixtures of experts: weights as the softmax gives them, and a shared expert of which each token takes a
 * share. arXiv:2407.10671
 */
export const qwen2moe = defineArchitecture({
  name: 'qwen2moe',
  layers: preNorm({
    rope: 'halves',
    experts: loading => {
      const { keys, config } = loading;
      const used = keys.size('expert_used_count', config.feedForward);
      const width = (key: string) => keys.maybe(key, { min: 0, max: most.feedForward, integer: true });
      return new MoE(loading, width('expert_feed_forward_length') || Math.floor(config.feedForward / used), {
        router: { normalised: false },
        shared: { width: width('expert_shared_feed_forward_length') || config.feedForward, gated: true },
      });
    },
  }),
});
