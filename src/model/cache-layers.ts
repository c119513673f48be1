import type { LayerShape } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

/** What each layer of a model keeps of a sequence. */
export type CacheLayers = (config: ModelConfig, keys: Keys) => readonly LayerShape[];

/** Keys and values, the same in all layers. */
export const cacheLayers: CacheLayers = ({ layers, kvHeads, headDim }) =>
  Array.from({ length: layers }, () => ({ kvHeads, headDim }));
