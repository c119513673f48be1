/** What the versions of Gemma have in common. */
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';
import type { Loading } from './loading.ts';
import { readLocalRope, readRope } from './rope.ts';
import { readWindow, slidingLayers } from './window.ts';

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

/** Every sixth layer sees all, the others a window; those rotate with a lower base and are never stretched. */
export function placesOfGemma3({ backend, keys, config, options: { kvTokens } }: Loading) {
  const style = 'halves';
  const global = { rope: backend.ropeTable(readRope(keys, config, { style, kvTokens })) };
  const window = readWindow(keys);
  const local = { rope: backend.ropeTable(readLocalRope(keys, config, { style, kvTokens })), window };
  const slides = slidingLayers(keys, config, 6);
  return (layer: number) => (window && slides[layer] ? local : global);
}
