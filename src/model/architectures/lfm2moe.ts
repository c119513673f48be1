import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { expertFeedForward, hybrid } from '../hybrid.ts';
import { lfm2Cache, lfm2Mixer } from '../lfm2.ts';
import { MoE } from '../moe.ts';
import { readRouter } from '../router.ts';

/** LFM2's mixtures of experts: by sigmoid, chosen with a bias; the first layers have one feed-forward network. */
export const lfm2moe = defineArchitecture({
  name: 'lfm2moe',
  needs: ['states'],
  mixedLayers: true,
  cache: lfm2Cache,
  outputNorm: 'token_embd_norm',
  layers: hybrid({
    mixer: lfm2Mixer,
    norm: 'ffn_norm',
    feedForward: loading => {
      const { keys, config } = loading;
      const dense = keys.maybe('leading_dense_block_count', { min: 0, max: config.layers, integer: true }) ?? 0;
      const width = keys.uniform('expert_feed_forward_length', config.layers, most.feedForward);
      const router = { ...readRouter(keys, 'sigmoid'), normalised: true };
      return expertFeedForward(loading, new MoE(loading, width, { router, biased: () => true }), dense);
    },
  }),
});
