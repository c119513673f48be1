import type { Activation, AttentionOptions, RopeTable, Vector } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import type { Block } from './decoder.ts';
import { type AttentionWeights, attend, type FeedForwardWeights, gated, loadFeedForward } from './layers.ts';
import type { Loading } from './loading.ts';
import { project } from './project.ts';

/** A layer with norms behind attention and the feed-forward network, and mostly before them too. */
interface SandwichLayer {
  readonly attentionNorm: Vector | undefined;
  readonly attention: AttentionWeights;
  readonly attentionPostNorm: Vector;
  readonly feedForwardNorm: Vector | undefined;
  readonly feedForward: FeedForwardWeights;
  readonly feedForwardPostNorm: Vector;
  /** Absent in a layer that does not rotate. */
  readonly rope: RopeTable | undefined;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number | undefined;
}

/** What a layer's place in the model decides. */
type Placement = Pick<SandwichLayer, 'rope' | 'window'>;

/** How such layers attend. */
interface SandwichOptions {
  readonly place: (layer: number) => Placement;
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
  readonly softcap?: number | undefined;
  readonly twoWay?: boolean;
}

interface SandwichParts {
  readonly attention: (loading: Loading, prefix: string) => Promise<AttentionWeights>;
  readonly feedForward?: (loading: Loading, prefix: string) => Promise<FeedForwardWeights>;
  /** What a feed-forward network's gate goes through. */
  readonly activation: Activation;
  /** Whether there are norms before attention and the feed-forward network. Default true. */
  readonly preNorms?: boolean;
  readonly read: (loading: Loading) => SandwichOptions | Promise<SandwichOptions>;
}

/** The layers of Gemma 2 and 3, GLM 4; and, without norms before, of OLMo 2 and EXAONE 4. */
export function sandwich(parts: SandwichParts): LoadLayers {
  const { attention, feedForward = loadFeedForward, activation, preNorms = true, read } = parts;
  return async loading => {
    const { tensors, config } = loading;
    const { place, scale = 1 / Math.sqrt(config.headDim), softcap, twoWay } = await read(loading);
    const norm = (name: string) => tensors.vector(`${name}.weight`, config.width);
    return eachLayer(config, async (prefix, layer) => {
      const weights = {
        ...place(layer),
        attentionNorm: preNorms ? await norm(`${prefix}.attn_norm`) : undefined,
        attention: await attention(loading, prefix),
        attentionPostNorm: await norm(`${prefix}.post_attention_norm`),
        feedForwardNorm: preNorms ? await norm(`${prefix}.ffn_norm`) : undefined,
        feedForward: await feedForward(loading, prefix),
        feedForwardPostNorm: await norm(`${prefix}.post_ffw_norm`),
      };
      return sandwichBlock(weights, { scale, softcap, twoWay, activation });
    });
  };
}

/** x += postNorm(attention(norm(x))); x += postNorm(feedForward(norm(x))) */
function sandwichBlock(
  weights: SandwichLayer,
  { activation, ...options }: Omit<AttentionOptions, 'heads'> & { readonly activation: Activation },
): Block {
  const { attentionNorm, feedForwardNorm, rope, window } = weights;
  return (step, layer) => {
    const { backend, config, work, batch } = step;
    const { hidden, normed, mixed, gate } = work;
    const { epsilon } = config;

    if (attentionNorm) backend.rmsNorm(normed, hidden, attentionNorm, epsilon, batch.tokens);
    const x = attentionNorm ? normed : hidden;
    attend(step, layer, weights.attention, rope, { heads: config.heads, window, ...options }, { x });
    project(step, [{ out: normed, ...weights.attention.output }], mixed);
    backend.rmsNorm(normed, normed, weights.attentionPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);

    if (feedForwardNorm) backend.rmsNorm(normed, hidden, feedForwardNorm, epsilon, batch.tokens);
    gated(step, weights.feedForward, activation, feedForwardNorm ? normed : hidden);
    project(step, [{ out: normed, ...weights.feedForward.down }], gate);
    backend.rmsNorm(normed, normed, weights.feedForwardPostNorm, epsilon, batch.tokens);
    backend.add(hidden, normed, batch.tokens);
  };
}
