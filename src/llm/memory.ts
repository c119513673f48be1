import { asRealmError } from '../errors.ts';
import { Meta } from '../gguf/meta.ts';
import type { GgufFile } from '../gguf/types.ts';

/** What a model takes of the machine's memory. */
export interface MemoryNeed {
  /** Tokens that it is for. */
  readonly context: number;
  /** Bytes. */
  readonly weights: number;
  /** Bytes of keys and values of one sequence that fills the context, in F16. */
  readonly kvCache: number;
}

const defaultContext = 4096;
const bytesOfF16 = 2;

/** What the weights and one full context take, from the file's own numbers; or why they do not say. */
export function memoryNeeded(gguf: GgufFile, context?: number): MemoryNeed | { readonly unknown: string } {
  const [reader] = gguf.readers;
  if (gguf.tensors.size === 0 || !reader) return { unknown: 'the file has a vocabulary and no weights.' };
  try {
    const meta = new Meta(gguf.metadata, reader.name);
    const architecture = meta.string('general.architecture');
    const trained = meta.number(`${architecture}.context_length`, { min: 1, integer: true });
    const tokens = context ?? Math.min(defaultContext, trained);
    const weights = [...gguf.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    return { context: tokens, weights, kvCache: tokens * kvBytesPerToken(meta, architecture) };
  } catch (error) {
    return { unknown: asRealmError(error).message };
  }
}

function kvBytesPerToken(meta: Meta, architecture: string): number {
  const whole = { min: 1, integer: true };
  const layers = meta.number(`${architecture}.block_count`, { min: 1, max: 100_000, integer: true });
  const heads = meta.perLayer(`${architecture}.attention.head_count`, layers, whole);
  const kvKey = `${architecture}.attention.head_count_kv`;
  const kvHeads = meta.has(kvKey) ? meta.perLayer(kvKey, layers, { min: 0, integer: true }) : heads;
  // There is at least one layer, so there is a first.
  const [firstHeads = 1] = heads;
  const perHead = meta.number(`${architecture}.embedding_length`, whole) / firstHeads;
  const keyLength = meta.maybeNumber(`${architecture}.attention.key_length`, whole) ?? perHead;
  const valueLength = meta.maybeNumber(`${architecture}.attention.value_length`, whole) ?? perHead;
  // The layers of an encoder write over each other's.
  const isEncoder = meta.metadata.get(`${architecture}.attention.causal`) === false;
  const held = isEncoder ? Math.max(...kvHeads) : kvHeads.reduce((sum, count) => sum + count, 0);
  return held * (keyLength + valueLength) * bytesOfF16;
}
