import type { RopeTable } from '../backend/backend.ts';
import type { LoadLayers } from './architecture.ts';
import { eachLayer } from './config.ts';
import type { Block } from './decoder.ts';
import {
  type AttentionWeights,
  addProduct,
  attend,
  type FeedForwardWeights,
  gated,
  loadAttention,
  loadFeedForward,
  loadUngated,
  type UngatedWeights,
  ungated,
} from './layers.ts';
import type { Loading } from './loading.ts';
import { type Norm, normalise } from './norm.ts';

/** A layer that normalises what it has added to the stream. */
interface BertLayer {
  readonly attention: AttentionWeights;
  readonly attentionNorm: Norm;
  readonly feedForward: FeedForwardWeights | UngatedWeights;
  readonly outputNorm: Norm;
}

interface BertOptions {
  readonly rope?: (loading: Loading) => RopeTable;
  /** SiLU of a gate; or GELU without one. */
  readonly gated?: boolean;
}

/** The layers of BERT and of those who follow it. arXiv:1810.04805 */
export function bertLayers(options: BertOptions = {}): LoadLayers {
  return async loading => {
    const { tensors, config } = loading;
    const rope = options.rope?.(loading);
    return eachLayer(config, async prefix => {
      const layer = {
        attention: await loadAttention(loading, prefix),
        attentionNorm: await tensors.norm(`${prefix}.attn_output_norm`, config.width),
        feedForward: await (options.gated ? loadFeedForward : loadUngated)(loading, prefix),
        outputNorm: await tensors.norm(`${prefix}.layer_output_norm`, config.width),
      };
      return bertBlock(layer, rope);
    });
  };
}

/** x = norm(x + attention(x)); x = norm(x + feedForward(x)) */
function bertBlock(
  { attention, attentionNorm, feedForward, outputNorm }: BertLayer,
  rope: RopeTable | undefined,
): Block {
  return (step, layer) => {
    const { config, work, batch } = step;
    const { hidden, mixed, gate } = work;
    const options = { heads: config.heads, scale: 1 / Math.sqrt(config.headDim), twoWay: true };
    attend(step, layer, attention, rope, options, { x: hidden });
    addProduct(step, attention.output, mixed);
    normalise(step, hidden, hidden, attentionNorm, batch.tokens);
    if ('gate' in feedForward) gated(step, feedForward, 'silu', hidden);
    else ungated(step, feedForward, 'gelu', hidden);
    addProduct(step, feedForward.down, gate);
    normalise(step, hidden, hidden, outputNorm, batch.tokens);
  };
}
