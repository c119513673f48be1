/** What Nemotron-H's architectures have in common: each layer is one thing alone. arXiv:2504.03624 */
import type { LoadLayers } from './architecture.ts';
import { attentionLayers } from './attention-layers.ts';
import type { CacheLayers } from './cache-layers.ts';
import { eachLayer, type ModelConfig, most } from './config.ts';
import type { LoadPart } from './hybrid.ts';
import type { Keys } from './keys.ts';
import { addProduct, loadUngated, ungated } from './layers.ts';
import type { Loading } from './loading.ts';
import { mamba2, scanState } from './mamba2.ts';
import { MoE } from './moe.ts';
import { plainAttention } from './plain-attention.ts';
import { project } from './project.ts';
import { readRouter } from './router.ts';

/** Older files have but the other norms' key. */
export const nemotronEpsilon = ['attention.layer_norm_rms_epsilon', 'attention.layer_norm_epsilon'] as const;

type Kind = 'attention' | 'states' | 'feedForward';

/** A layer with a feed-forward network's width has that; one with heads for keys and values attends. */
function layerKinds(keys: Keys, config: ModelConfig): readonly Kind[] {
  const attends = attentionLayers(keys, config);
  const widths = keys.each('feed_forward_length', config.layers, { min: 0, integer: true });
  return attends.map((attends, layer) => (widths[layer] ? 'feedForward' : attends ? 'attention' : 'states'));
}

export const nemotronCache: CacheLayers = (config, keys) => {
  const { kvHeads, headDim } = config;
  const kept = {
    attention: () => ({ kvHeads, headDim }),
    states: () => scanState(keys),
    feedForward: () => ({ stateSize: 0 }),
  };
  return layerKinds(keys, config).map(kind => kept[kind]());
};

/** x += part(norm(x)) */
const layersOf =
  (feedForward: (loading: Loading) => LoadPart): LoadLayers =>
  async loading => {
    const { keys, config, tensors } = loading;
    const parts = {
      attention: plainAttention(loading),
      states: mamba2(loading),
      feedForward: feedForward(loading),
    };
    const kinds = layerKinds(keys, config);
    return eachLayer(config, async (prefix, layer) => {
      const norm = await tensors.vector(`${prefix}.attn_norm.weight`, config.width);
      const part = await parts[kinds[layer] ?? 'states'](prefix, layer);
      return (step, layer) => {
        const { backend, config, work, batch } = step;
        backend.rmsNorm(work.normed, work.hidden, norm, config.epsilon, batch.tokens);
        part(step, layer);
      };
    });
  };

export const nemotronLayers = layersOf(loading => async prefix => {
  const weights = await loadUngated(loading, prefix);
  return step => {
    ungated(step, weights, 'relu2');
    addProduct(step, weights.down, step.work.gate);
  };
});

/** Of the stream, or of a narrower one that a matrix leads to and another from (Nemotron 3 Super). */
export const nemotronExperts = layersOf(loading => {
  const { backend, keys, config, options, tensors } = loading;
  const latent = keys.maybe('moe_latent_size', { min: 0, max: config.width, integer: true }) || undefined;
  const narrow = latent && backend.buffer(options.maxBatchTokens, latent);
  const width = keys.uniform('expert_feed_forward_length', config.layers, most.feedForward);
  const shared = keys.size('expert_shared_feed_forward_length', most.feedForward);
  const moe = new MoE(loading, width, {
    router: readRouter(keys, 'sigmoid'),
    biased: () => true,
    width: latent,
    ungated: 'relu2',
    shared: { width: shared, ungated: 'relu2' },
  });
  return async prefix => {
    const weights = await moe.load(tensors, prefix);
    if (!latent || !narrow) return step => moe.apply(step, weights);
    const down = await tensors.linear(`${prefix}.ffn_latent_down`, latent, config.width);
    const up = await tensors.linear(`${prefix}.ffn_latent_up`, config.width, latent);
    return step => {
      const { normed } = step.work;
      project(step, [{ out: narrow, ...down }], normed);
      moe.apply(step, weights, { out: narrow, x: narrow, judged: normed });
      addProduct(step, up, narrow);
    };
  };
});
