import { defineArchitecture } from '../architecture.ts';
import { most } from '../config.ts';
import { type AttentionWeights, loadAttention } from '../layers.ts';
import type { Loading } from '../loading.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';
import { slidingLayers } from '../window.ts';

/** OpenAI's gpt-oss: experts with biases and a clamped gate, sinks, and a window on every second layer. arXiv:2508.10925 */
export const gptOss = defineArchitecture({
  name: 'gpt-oss',
  needs: ['sinks', 'expertBiases'],
  layers: preNorm({
    rope: 'halves',
    attention: loadAttentionWithSinks,
    windows: readWindows,
    feedForwardNorm: 'post_attention_norm',
    experts: loading => {
      const { keys, config } = loading;
      const width = keys.uniform('expert_feed_forward_length', config.layers, most.feedForward);
      return new MoE(loading, width, { activation: 'swiglu_oai', biases: true });
    },
  }),
});

async function loadAttentionWithSinks(loading: Loading, prefix: string): Promise<AttentionWeights> {
  return {
    ...(await loadAttention(loading, prefix)),
    sinks: await loading.tensors.vector(`${prefix}.attn_sinks.weight`, loading.config.heads),
  };
}

function readWindows({ keys, config }: Loading): (number | undefined)[] {
  const window = keys.size('attention.sliding_window', 2 ** 31);
  return slidingLayers(keys, config, 2).map(slides => (slides ? window : undefined));
}
