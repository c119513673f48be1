import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

/** Which layers attend: those that have heads for keys and values, all as many. */
export function attentionLayers(keys: Keys, { layers, kvHeads }: ModelConfig): boolean[] {
  const key = 'attention.head_count_kv';
  return keys.each(key, layers, { min: 0, integer: true }).map(heads => {
    if (heads !== 0 && heads !== kvHeads) keys.fail(key, `has layers of ${heads} and of ${kvHeads} heads`);
    return heads !== 0;
  });
}
