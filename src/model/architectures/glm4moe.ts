import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { loadAttention, loadNormedAttention } from '../layers.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';
import { readRouter } from '../router.ts';

/**
 * GLM 4.5 to 4.7: experts by sigmoid, chosen with a bias, and shared ones; the first layers have one feed-forward network.
 * Large ones have a norm over each head of queries and keys. arXiv:2508.06471
 */
export const glm4moe = defineArchitecture({
  name: 'glm4moe',
  layers: preNorm({
    rope: 'halves',
    attention: (loading, prefix) =>
      loading.tensors.has(`${prefix}.attn_q_norm.weight`)
        ? loadNormedAttention(loading, prefix)
        : loadAttention(loading, prefix),
    feedForwardNorm: 'post_attention_norm',
    dense: ({ keys, config }) => {
      const dense = keys.maybe('leading_dense_block_count', { min: 0, max: config.layers, integer: true }) ?? 0;
      return layer => layer < dense;
    },
    experts: loading => {
      const { keys } = loading;
      const width = keys.size('expert_feed_forward_length', most.feedForward);
      const shared = keys.number('expert_shared_count', { min: 0, max: 64, integer: true });
      return new MoE(loading, width, {
        router: readRouter(keys, 'sigmoid'),
        biased: () => true,
        shared: shared ? { width: width * shared } : undefined,
      });
    },
  }),
});
