import type { RopeTable } from '../../backend/backend.ts';
import { defineArchitecture } from '../architecture.ts';
import { attentionLayers } from '../attention-layers.ts';
import type { CacheLayers } from '../cache-layers.ts';
import { graniteEnds, graniteExperts, graniteScales } from '../granite.ts';
import { denseFeedForward, expertFeedForward, hybrid, type LoadPart } from '../hybrid.ts';
import type { Loading } from '../loading.ts';
import { mamba2, scanState } from '../mamba2.ts';
import { plainAttention } from '../plain-attention.ts';
import { readRope } from '../rope.ts';

const cache: CacheLayers = (config, keys) => {
  const { kvHeads, headDim } = config;
  return attentionLayers(keys, config).map(attends => (attends ? { kvHeads, headDim } : scanState(keys)));
};

/** Attention where a layer has heads for keys and values, Mamba-2 elsewhere. */
async function mixer(loading: Loading): Promise<LoadPart> {
  const { keys, config } = loading;
  const attends = attentionLayers(keys, config);
  const { attention: scale, residual } = graniteScales(keys);
  const rope = await readRotations(loading);
  const attention = plainAttention(loading, { rope, scale, residual });
  const states = attends.every(Boolean) ? attention : mamba2(loading, residual);
  return (prefix, layer) => (attends[layer] ? attention : states)(prefix, layer);
}

/** None where a file says that it was not trained with any. */
async function readRotations({ backend, keys, config, tensors, options }: Loading): Promise<RopeTable | undefined> {
  if (keys.meta.maybeBoolean(`${keys.architecture}.rope.scaling.finetuned`) === false) return undefined;
  const factors = await tensors.maybeFloats('rope_freqs.weight', config.headDim / 2);
  return backend.ropeTable(readRope(keys, config, { style: 'adjacent', kvTokens: options.kvTokens, factors }));
}

/** Granite 4: granite's layers, most of which mix tokens by Mamba-2, and none of those that attend rotates. */
export const granitehybrid = defineArchitecture({
  name: 'granitehybrid',
  ...graniteEnds,
  needs: ['states'],
  mixedLayers: true,
  cache,
  layers: hybrid({
    mixer,
    norm: 'ffn_norm',
    feedForward: loading =>
      loading.keys.maybe('expert_count')
        ? expertFeedForward(loading, graniteExperts(loading))
        : denseFeedForward(loading, graniteScales(loading.keys).residual),
  }),
});
