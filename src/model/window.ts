import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

/** Which layers slide: all but every n-th, where the file may say n, or say it for each layer. */
export function slidingLayers(keys: Keys, config: ModelConfig, every: number): readonly boolean[] {
  const key = 'attention.sliding_window_pattern';
  if (typeof keys.meta.metadata.get(`${keys.architecture}.${key}`) === 'object')
    return keys.flags(key, config.layers) ?? [];
  const n = keys.maybe(key, { min: 0, max: config.layers, integer: true }) ?? every;
  return Array.from({ length: config.layers }, (_, layer) => n === 0 || layer % n < n - 1);
}

/** A window of at least one token, or none: 0 says so. Those that always slide have `missing` where a file says nothing. */
export function readWindow(keys: Keys, missing?: number): number | undefined {
  const min = missing === undefined ? 0 : 1;
  return (keys.maybe('attention.sliding_window', { min, max: 2 ** 31, integer: true }) ?? missing) || undefined;
}
