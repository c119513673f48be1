import type { PagedShape } from '../../backend/backend.ts';
import type { CacheLayers } from '../cache-layers.ts';
import { type ModelConfig, most } from '../config.ts';
import type { Keys } from '../keys.ts';
import { readWindow, slidingLayers } from '../window.ts';

/** The sizes of one layer of Gemma 4. */
export interface LayerSizes extends PagedShape {
  readonly heads: number;
  readonly feedForward: number;
  /** Positions that a token sees; all of them when absent. */
  readonly window?: number | undefined;
  /** The layer whose keys and values it sees: itself, or one before it. */
  readonly source: number;
}

/** Layers with a window have heads of their own width; the last ones see the keys and values of earlier ones. */
export function readLayers(keys: Keys, config: ModelConfig): LayerSizes[] {
  const { layers } = config;
  const each = (key: string, max: number, missing?: number) =>
    keys.each(key, layers, { min: 1, max, integer: true }, missing);
  const heads = each('attention.head_count', most.heads);
  const kvHeads = each('attention.head_count_kv', most.heads, config.heads);
  const feedForward = each('feed_forward_length', most.feedForward);
  const slides = slidingLayers(keys, config, 1);
  const window = readWindow(keys) ?? 0;
  if (window === 0 && slides.includes(true)) keys.fail('attention.sliding_window', 'must be at least 1');
  const headDim = readSlidingHeadDim(keys, config);
  const own = layers - (keys.maybe('attention.shared_kv_layers', { min: 0, max: layers - 1, integer: true }) ?? 0);
  return slides.map((sliding, layer) => {
    const [queryHeads = 0, keyHeads = 0, inner = 0] = [heads[layer], kvHeads[layer], feedForward[layer]];
    if (queryHeads % keyHeads !== 0)
      keys.fail(
        'attention.head_count_kv',
        `is ${keyHeads} in layer ${layer}, which does not divide ${queryHeads} heads`,
      );
    const source = layer < own ? layer : slides.lastIndexOf(sliding, own - 1);
    if (source < 0) keys.fail('attention.shared_kv_layers', `leaves no layer whose keys layer ${layer} could share`);
    if (keyHeads !== kvHeads[source])
      keys.fail('attention.head_count_kv', `is ${keyHeads} in layer ${layer}, which shares those of layer ${source}`);
    const reach = sliding ? { headDim, window } : { headDim: config.headDim };
    return { ...reach, heads: queryHeads, kvHeads: keyHeads, feedForward: inner, source };
  });
}

/** The width of a head in layers with a window. */
export function readSlidingHeadDim(keys: Keys, config: ModelConfig): number {
  const options = { min: 2, max: most.headDim, integer: true };
  const headDim = keys.maybe('attention.key_length_swa', options) ?? config.headDim;
  if (headDim % 2 !== 0) keys.fail('attention.key_length_swa', `is ${headDim} and must be even`);
  const value = keys.maybe('attention.value_length_swa') ?? headDim;
  if (value !== headDim)
    keys.fail('attention.value_length_swa', `is ${value}; only the key length, ${headDim}, is supported`);
  return headDim;
}

/** Keys and values of the layers that have their own, which are the first. */
export const ownLayers: CacheLayers = (config, keys) =>
  readLayers(keys, config).flatMap(({ source, kvHeads, headDim }, layer) =>
    source === layer ? [{ kvHeads, headDim }] : [],
  );
