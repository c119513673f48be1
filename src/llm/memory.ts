import type { LayerShape } from '../backend/backend.ts';
import { asRealmError } from '../errors.ts';
import type { GgufFile } from '../gguf/types.ts';
import { describeModel } from '../model/load.ts';

/** What a model takes of the machine's memory. */
export interface MemoryNeed {
  /** Tokens that it is for. */
  readonly context: number;
  /** Bytes. */
  readonly weights: number;
  /** Bytes of what is kept of one sequence that fills the context: keys and values in F16, and states. */
  readonly kvCache: number;
}

const defaultContext = 4096;
const bytesOfF16 = 2;
const bytesOfF32 = 4;
/** A step reads one state and writes another. */
const statesOfSequence = 2;

/** What the weights and one full context take, from the file's own numbers; or why they do not say. */
export function memoryNeeded(gguf: GgufFile, context?: number): MemoryNeed | { readonly unknown: string } {
  if (gguf.tensors.size === 0) return { unknown: 'the file has a vocabulary and no weights.' };
  try {
    const { config, cache } = describeModel(gguf);
    const tokens = context ?? Math.min(defaultContext, config.trainedContext);
    const weights = [...gguf.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    const kept = cache.reduce((sum, layer) => sum + bytesOf(layer, tokens), 0);
    return { context: tokens, weights, kvCache: kept };
  } catch (error) {
    return { unknown: asRealmError(error).message };
  }
}

/** What a layer keeps of one sequence. */
function bytesOf(layer: LayerShape, tokens: number): number {
  if ('stateSize' in layer) return statesOfSequence * layer.stateSize * bytesOfF32;
  return tokens * (layer.latentDim ? 1 : 2) * layer.kvHeads * layer.headDim * bytesOfF16;
}
