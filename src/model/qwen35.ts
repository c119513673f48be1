/** What Qwen 3.5's architectures have in common. */
import type { CacheLayers } from './cache-layers.ts';
import { type ModelConfig, most } from './config.ts';
import { type DeltaNetOptions, deltaNet, deltaState } from './delta-net.ts';
import { gatedAttention } from './gated-attention.ts';
import { expertFeedForward, type LoadPart } from './hybrid.ts';
import type { Keys } from './keys.ts';
import type { Loading } from './loading.ts';
import { MoE } from './moe.ts';

export const qwen35Cache: CacheLayers = (config, keys) => {
  const { kvHeads, headDim } = config;
  return attentionLayers(keys, config).map(attends => (attends ? { kvHeads, headDim } : deltaState(keys)));
};

/** Which layers attend: every n-th, where the file may say n, or say for each layer that it does not. */
function attentionLayers(keys: Keys, { layers }: ModelConfig): boolean[] {
  const flags = 'attention.recurrent_layers';
  const recurrent = keys.flags(flags, layers);
  if (recurrent?.every(Boolean)) keys.fail(flags, `is true for all ${layers} layers; one at least must attend`);
  if (recurrent) return recurrent.map(flag => !flag);
  const key = 'full_attention_interval';
  const interval = keys.maybe(key, { min: 1, integer: true }) ?? 4;
  if (interval > layers) keys.fail(key, `is ${interval}, of ${layers} layers; one at least must attend`);
  return Array.from({ length: layers }, (_, layer) => (layer + 1) % interval === 0);
}

/** Attention in some layers, delta nets in the others. */
const mixer =
  (options?: DeltaNetOptions) =>
  (loading: Loading): LoadPart => {
    const attends = attentionLayers(loading.keys, loading.config);
    const [attention, delta] = [gatedAttention(loading), deltaNet(loading, options)];
    return (prefix, layer) => (attends[layer] ? attention : delta)(prefix, layer);
  };

export const qwen35Mixer = mixer();
export const qwen3nextMixer = mixer({ grouped: true });

/** Many small experts, and a shared one of which each token takes a share. */
export function qwen35Experts(loading: Loading): LoadPart {
  const { keys, config } = loading;
  const width = keys.size('expert_feed_forward_length', most.feedForward);
  const bounds = { min: 0, max: most.feedForward, integer: true };
  const shared = keys.maybe('expert_shared_feed_forward_length', bounds) || config.feedForward;
  return expertFeedForward(loading, new MoE(loading, width, { shared: { width: shared, gated: true } }));
}
