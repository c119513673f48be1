/** What decoders and encoders have in common: sizes, a cache, adapters, and an end that is their backend's. */
import { type Backend, type KvCache, type LayerShape, pageTokens } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { type Adaptable, freeAdapter, type LoadedAdapter, loadAdapter } from './adapter.ts';
import type { ModelConfig } from './config.ts';
import { LowRankBuffers } from './project.ts';
import type { Batch, Model, ModelOptions } from './types.ts';

interface Parts extends Omit<Adaptable, 'architecture'> {
  readonly config: ModelConfig;
  /** What each layer keeps of a sequence. */
  readonly cache: readonly LayerShape[];
}

interface Common {
  readonly model: Omit<Model, 'run' | 'tokens' | 'logits' | 'states'>;
  readonly cache: KvCache;
  readonly low: LowRankBuffers;
}

export function modelOn(backend: Backend, options: ModelOptions, parts: Parts): Common {
  const { config } = parts;
  const { maxBatchTokens, maxOutputs } = options;
  const pages = Math.ceil(options.kvTokens / pageTokens);
  const slots = parts.cache.some(layer => 'stateSize' in layer) ? (options.stateSlots ?? 0) : 0;
  const cache = backend.kvCache({ layers: parts.cache, pages, slots, type: options.kvType ?? 'F16' });
  const low = new LowRankBuffers(backend, Math.max(maxBatchTokens, maxOutputs));
  const model: Common['model'] = {
    architecture: config.architecture,
    vocabSize: config.vocabSize,
    width: config.width,
    layers: config.layers,
    trainedContext: config.trainedContext,
    maxBatchTokens,
    maxOutputs,
    pages,
    pageBytes: cache.pageBytes,
    slots: cache.slots,
    slotBytes: cache.slotBytes,
    kvLayout: backend.traits.kvLayout,
    kvBytesPerToken: cache.pageBytes / pageTokens,
    pooling: config.pooling,
    async loadAdapter(file) {
      const adapter = await loadAdapter(file, backend, { architecture: config.architecture, ...parts });
      try {
        for (const { rank, reserve } of adapter.pairs.values()) (reserve ?? (rank => low.reserve(rank)))(rank);
        if (adapter.embeddings) low.reserve(adapter.embeddings.rank);
      } catch (error) {
        freeAdapter(adapter, backend);
        throw error;
      }
      return adapter;
    },
    unloadAdapter: adapter => freeAdapter(adapter as LoadedAdapter, backend),
    copyPages: pairs => backend.copyPages(cache, pairs),
    copySlots: pairs => backend.copySlots(cache, pairs),
    readPage: (page, target) => backend.readPage(cache, page, target),
    writePage: (page, source) => backend.writePage(cache, page, source),
    readSlot: (slot, target) => backend.readSlot(cache, slot, target),
    writeSlot: (slot, source) => backend.writeSlot(cache, slot, source),
    memory: () => backend.memory(),
    close: () => backend.close(),
  };
  return { model, cache, low };
}

/** The engine plans batches that fit; one that does not is a fault of its own, caught before memory is touched. */
export function checkBatch(batch: Batch, { maxBatchTokens, maxOutputs }: ModelOptions, vocabSize: number): void {
  if (batch.tokens > maxBatchTokens || batch.outputs.length > maxOutputs) {
    const size = `${batch.tokens} tokens and ${batch.outputs.length} outputs`;
    throw new RealmError('internal_error', `a batch of ${size}; the model takes ${maxBatchTokens} and ${maxOutputs}`);
  }
  const stray = batch.ids.find(id => id < 0 || id >= vocabSize);
  if (stray !== undefined) throw new RealmError('internal_error', `token ${stray} of a vocabulary of ${vocabSize}`);
}
