import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

/** Which layers slide: all but every n-th, where the file may say n, or say it for each layer. */
export function slidingLayers(keys: Keys, config: ModelConfig, every: number): boolean[] {
  const key = `${keys.architecture}.attention.sliding_window_pattern`;
  const given = keys.meta.metadata.get(key);
  if (typeof given !== 'object') {
    const n = keys.maybe('attention.sliding_window_pattern', { min: 0, max: config.layers, integer: true }) ?? every;
    return Array.from({ length: config.layers }, (_, layer) => n === 0 || layer % n < n - 1);
  }
  const flags = Array.from(given as ArrayLike<unknown>, Boolean);
  return flags.length === config.layers ? flags : keys.meta.fail(key, `has ${flags.length} layers of ${config.layers}`);
}

/** A window of at least one token, or none. */
export function readWindow(keys: Keys, missing?: number): number | undefined {
  return keys.maybe('attention.sliding_window', { min: 0, max: 2 ** 31, integer: true }) || missing;
}
