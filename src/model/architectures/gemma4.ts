import { defineArchitecture } from '../architecture.ts';
import { eachLayer } from '../config.ts';
import { embeddingScale, readCap } from '../gemma.ts';
import { LayerLoader } from '../gemma4/layer.ts';
import { ownLayers, readLayers, readSlidingHeadDim } from '../gemma4/sizes.ts';
import type { Loading } from '../loading.ts';
import { readLocalRope, readRope } from '../rope.ts';

/**
 * Gemma 4: heads of two widths, norms on queries, keys and values instead of a scale, keys that are values too, last layers that
 * see the keys of earlier ones; small models have an embedding for every layer, others experts beside the feed-forward network.
 */
export const gemma4 = defineArchitecture({
  name: 'gemma4',
  mixedLayers: true,
  embeddingScale,
  logitCap: keys => readCap(keys, 'final_logit_softcapping'),
  cache: ownLayers,
  async layers(loading) {
    const { keys, config } = loading;
    const sizes = readLayers(keys, config);
    const seesAll = sizes.some(({ window }) => window === undefined);
    const ropes = await readRopes(loading, seesAll);
    const loader = await LayerLoader.create(loading);
    return eachLayer(config, (prefix, layer) => {
      const size = sizes[layer]!;
      return loader.load(prefix, layer, size, size.window ? ropes.local : ropes.global);
    });
  },
});

/** Layers that see all divide their frequencies by factors that leave most of a head as it is. */
async function readRopes({ backend, keys, config, tensors, options: { kvTokens } }: Loading, seesAll: boolean) {
  const options = { style: 'halves', kvTokens } as const;
  const factors = seesAll ? await tensors.divisors('rope_freqs.weight', config.headDim / 2) : undefined;
  const heads = { ...config, headDim: readSlidingHeadDim(keys, config) };
  return {
    global: backend.ropeTable(readRope(keys, config, { ...options, factors })),
    local: backend.ropeTable(readLocalRope(keys, heads, { ...options, dimensionsKey: 'rope.dimension_count_swa' })),
  };
}
