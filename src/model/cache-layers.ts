import type { LayerShape } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';

/** What each layer keeps of a sequence: today keys and values, the same in all of them. */
export function cacheLayers({ layers, kvHeads, headDim }: ModelConfig): LayerShape[] {
  return Array.from({ length: layers }, () => ({ kvHeads, headDim }));
}
