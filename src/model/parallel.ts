import type { RopeTable } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import { addProduct, attend, gated, loadAttention, loadFeedForward } from './layers.ts';
import type { Loading } from './loading.ts';
import { loadNorm, type NormKind, normalise } from './norm.ts';

/** What a layer's place in the model decides. */
interface Placement {
  /** Absent in a layer that does not rotate. */
  readonly rope: RopeTable | undefined;
  /** Positions that a token sees in this layer; all of them when absent. */
  readonly window?: number | undefined;
}

type Placing = (layer: number) => Placement;

interface ParallelOptions {
  readonly norm: NormKind;
  readonly place: (loading: Loading) => Placing | Promise<Placing>;
}

/** Layers whose attention and feed-forward network have one norm and one input: x += attention(norm(x)) + feedForward(norm(x)). */
export function parallel({ norm: kind, place }: ParallelOptions): LoadLayers {
  return async loading => {
    const { heads, headDim } = loading.config;
    const placeOf = await place(loading);
    return eachLayer(loading.config, async (prefix, layer) => {
      const norm = await loadNorm(loading, `${prefix}.attn_norm`, kind);
      const attention = await loadAttention(loading, prefix);
      const feedForward = await loadFeedForward(loading, prefix);
      const { rope, window } = placeOf(layer);
      const options = { heads, scale: 1 / Math.sqrt(headDim), window };
      return (step, layer) => {
        const { work, batch } = step;
        normalise(step, work.normed, work.hidden, norm, batch.tokens);
        attend(step, layer, attention, rope, options);
        gated(step, feedForward, 'silu');
        addProduct(step, attention.output, work.mixed);
        addProduct(step, feedForward.down, work.gate);
      };
    });
  };
}
