/** What LFM2's architectures have in common. */
import { attentionLayers } from './attention-layers.ts';
import type { CacheLayers } from './cache-layers.ts';
import type { LoadPart } from './hybrid.ts';
import { addProduct, attend, loadNormedAttention } from './layers.ts';
import type { Loading } from './loading.ts';
import { readRope } from './rope.ts';
import { convolutionState, shortConvolution } from './short-convolution.ts';
import { readWindow } from './window.ts';

export const lfm2Cache: CacheLayers = (config, keys) => {
  const { kvHeads, headDim } = config;
  if (keys.meta.maybeBoolean(`${keys.architecture}.attention.causal`) === false)
    keys.fail('attention.causal', 'is false: it is an encoder, whose convolutions look ahead; that is not supported');
  return attentionLayers(keys, config).map(attends =>
    attends ? { kvHeads, headDim } : convolutionState(keys, config),
  );
};

/** Attention where a layer has heads for keys and values, a convolution elsewhere. */
export function lfm2Mixer(loading: Loading): LoadPart {
  const { backend, keys, config, options } = loading;
  const rope = backend.ropeTable(readRope(keys, config, { style: 'halves', kvTokens: options.kvTokens }));
  const attention = {
    heads: config.heads,
    scale: 1 / Math.sqrt(config.headDim),
    window: readWindow(keys),
  };
  const attends = attentionLayers(keys, config);
  const convolution = shortConvolution(loading);
  return async (prefix, layer) => {
    if (!attends[layer]) return convolution(prefix, layer);
    const weights = await loadNormedAttention(loading, prefix);
    return (step, layer) => {
      attend(step, layer, weights, rope, attention);
      addProduct(step, weights.output, step.work.mixed);
    };
  };
}
