/** What the versions of Gemma have in common. */
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

export const embeddingScale = ({ width }: ModelConfig): number => Math.sqrt(width);

/**
 * 1 / sqrt(headDim), but for the 27B models, which divide by sqrt(width / heads). Files do not say so; llama.cpp knows them by
 * their number of layers too.
 */
export function attentionScale(config: ModelConfig, layersOf27B: number): number {
  return 1 / Math.sqrt(config.layers === layersOf27B ? Math.floor(config.width / config.heads) : config.headDim);
}

/** A cap on scores or logits; 0 means none. */
export function readCap(keys: Keys, key: string, missing?: number): number | undefined {
  return (keys.maybe(key, { min: 0, max: 1e6 }) ?? missing) || undefined;
}
