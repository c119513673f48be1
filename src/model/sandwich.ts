import type { RopeTable, Vector } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import type { Block } from './decoder.ts';
import { type AttentionWeights, attend, type FeedForwardWeights, gated, loadFeedForward } from './layers.ts';
import type { Loading } from './loading.ts';
import { project } from './project.ts';

/** A layer with norms before and after attention and the feed-forward network. */
interface SandwichLayer {
  readonly attentionNorm: Vector;
  readonly attention: AttentionWeights;
  readonly attentionPostNorm: Vector;
  readonly feedForwardNorm: Vector;
  readonly feedForward: FeedForwardWeights;
  readonly feedForwardPostNorm: Vector;
  readonly rope: RopeTable;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number | undefined;
}

/** What a layer's place in the model decides. */
type Placement = Pick<SandwichLayer, 'rope' | 'window'>;

/** How such layers attend. */
interface SandwichOptions {
  readonly place: (layer: number) => Placement;
  readonly scale: number;
  readonly softcap?: number | undefined;
  readonly twoWay?: boolean;
}

/** The layers of Gemma 2 and 3. */
export function sandwich(
  attention: (loading: Loading, prefix: string) => Promise<AttentionWeights>,
  read: (loading: Loading) => SandwichOptions,
): LoadLayers {
  return async loading => {
    const { tensors, config } = loading;
    const { place, ...options } = read(loading);
    const norm = (name: string) => tensors.vector(`${name}.weight`, config.width);
    return eachLayer(config, async (prefix, layer) => {
      const weights = {
        ...place(layer),
        attentionNorm: await norm(`${prefix}.attn_norm`),
        attention: await attention(loading, prefix),
        attentionPostNorm: await norm(`${prefix}.post_attention_norm`),
        feedForwardNorm: await norm(`${prefix}.ffn_norm`),
        feedForward: await loadFeedForward(loading, prefix),
        feedForwardPostNorm: await norm(`${prefix}.post_ffw_norm`),
      };
      return sandwichBlock(weights, options);
    });
  };
}

/** x += postNorm(attention(norm(x))); x += postNorm(feedForward(norm(x))) */
function sandwichBlock(weights: SandwichLayer, options: Omit<SandwichOptions, 'place'>): Block {
  return (step, layer) => {
    const { backend, config, work, batch } = step;
    const { hidden, normed, mixed, gate } = work;
    const { epsilon } = config;

    backend.rmsNorm(normed, hidden, weights.attentionNorm, epsilon, batch.tokens);
    attend(step, layer, weights.attention, weights.rope, { heads: config.heads, window: weights.window, ...options });
    project(step, [{ out: normed, ...weights.attention.output }], mixed);
    backend.rmsNorm(normed, normed, weights.attentionPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);

    backend.rmsNorm(normed, hidden, weights.feedForwardNorm, epsilon, batch.tokens);
    gated(step, weights.feedForward, 'gelu');
    project(step, [{ out: normed, ...weights.feedForward.down }], gate);
    backend.rmsNorm(normed, normed, weights.feedForwardPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);
  };
}
