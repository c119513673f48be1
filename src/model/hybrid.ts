import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import type { Block } from './decoder.ts';
import { addProduct, gated, loadFeedForward } from './layers.ts';
import type { Loading } from './loading.ts';
import type { MoE } from './moe.ts';

/** Loads a part of layer `layer`, whose tensors begin with `prefix`: a block that adds to the stream what it makes of `work.normed`. */
export type LoadPart = (prefix: string, layer: number) => Promise<Block>;

/** How layers differ in which tokens are mixed by attention, or by something with a state, before the feed-forward network. */
interface HybridOptions {
  readonly mixer: (loading: Loading) => LoadPart | Promise<LoadPart>;
  readonly feedForward: (loading: Loading) => LoadPart;
  /** Name of the norm between the two. */
  readonly norm: string;
}

/** x += mixer(norm(x)); x += feedForward(norm(x)) */
export function hybrid(options: HybridOptions): LoadLayers {
  return async loading => {
    const { tensors, config } = loading;
    const [mixer, feedForward] = [await options.mixer(loading), options.feedForward(loading)];
    return eachLayer(config, async (prefix, layer) => {
      const mixerNorm = await tensors.vector(`${prefix}.attn_norm.weight`, config.width);
      const mix = await mixer(prefix, layer);
      const feedForwardNorm = await tensors.vector(`${prefix}.${options.norm}.weight`, config.width);
      const feed = await feedForward(prefix, layer);
      return (step, layer) => {
        const { backend, config, work, batch } = step;
        backend.rmsNorm(work.normed, work.hidden, mixerNorm, config.epsilon, batch.tokens);
        mix(step, layer);
        backend.rmsNorm(work.normed, work.hidden, feedForwardNorm, config.epsilon, batch.tokens);
        feed(step, layer);
      };
    });
  };
}

/** A gated feed-forward network with SiLU; `scale`: a factor on what it adds to the stream. */
export function denseFeedForward(loading: Loading, scale?: number): LoadPart {
  return async prefix => {
    const weights = await loadFeedForward(loading, prefix);
    return step => {
      gated(step, weights, 'silu');
      addProduct(step, weights.down, step.work.gate, scale);
    };
  };
}

/** A mixture of experts; layers that are `dense` have one network instead: the first so many, or as it says. */
export function expertFeedForward(
  loading: Loading,
  moe: MoE,
  dense: number | ((layer: number) => boolean) = 0,
): LoadPart {
  const one = denseFeedForward(loading);
  const isDense = typeof dense === 'number' ? (layer: number) => layer < dense : dense;
  return async (prefix, layer) => {
    if (isDense(layer)) return one(prefix, layer);
    const weights = await moe.load(loading.tensors, prefix);
    return step => moe.apply(step, weights);
  };
}
