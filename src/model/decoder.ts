import {
  type Backend,
  type Buffer,
  type KvCache,
  type LayerShape,
  type Matrix,
  pageTokens,
  type TokenBuffer,
  type Vector,
} from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { freeAdapter, type LoadedAdapter, loadAdapter } from './adapter.ts';
import type { ModelConfig } from './config.ts';
import { Given } from './given.ts';
import { adaptEmbeddings, LowRankBuffers, outputRows, project, type Rows, tokenRows } from './project.ts';
import type { Linear } from './tensors.ts';
import type { Batch, Model, ModelOptions } from './types.ts';

/** Work buffers, sized for the largest batch. */
export interface Workspace {
  /** The residual stream, [tokens, width]. */
  readonly hidden: Buffer;
  /** A layer's normalised input or unadded output, [tokens, width]. */
  readonly normed: Buffer;
  /** [tokens, heads * headDim] */
  readonly q: Buffer;
  /** [tokens, kvHeads * headDim] */
  readonly k: Buffer;
  readonly v: Buffer;
  /** What attention gathered, [tokens, heads * headDim]. */
  readonly mixed: Buffer;
  /** [tokens, feedForward] */
  readonly gate: Buffer;
  readonly up: Buffer;
  /** Rows of `hidden` whose logits are wanted, [outputs, width]. */
  readonly outputs: Buffer;
  /** [outputs, vocabSize] */
  readonly logits: Buffer;
  /** What was chosen from them, [outputs]. */
  readonly tokens: TokenBuffer;
}

/** What a layer works on: one batch, on its way through the model. */
export interface Step {
  readonly backend: Backend;
  readonly config: ModelConfig;
  readonly work: Workspace;
  readonly cache: KvCache;
  readonly batch: Batch;
  /** The batch's tokens, and whose adapters they go through. */
  readonly rows: Rows;
  readonly low: LowRankBuffers;
  readonly given: Given;
}

/** Adds the attention and the feed-forward network of layer `layer` to `work.hidden`. */
export type Block = (step: Step, layer: number) => void;

/** What differs between decoders: the weights at both ends and what happens in a layer. */
export interface DecoderSpec {
  readonly config: ModelConfig;
  readonly embeddings: Matrix;
  /** Factor on the embeddings (gemma). */
  readonly embeddingScale?: number | undefined;
  /** One for each layer. */
  readonly blocks: readonly Block[];
  /** What each layer keeps of a sequence. */
  readonly cache: readonly LayerShape[];
  readonly outputNorm: Vector;
  readonly output: Linear;
  /** Every matrix that is multiplied by {@link project}. */
  readonly linears: readonly Linear[];
  /** Logits become cap * tanh(logit / cap) (gemma 2). */
  readonly logitCap?: number | undefined;
}

/** A decoder-only transformer: embed, the layers, norm, logits. Closing the model closes its backend. */
export function createDecoder(backend: Backend, options: ModelOptions, spec: DecoderSpec): Model {
  const { config } = spec;
  const { maxBatchTokens, maxOutputs } = options;
  const work = createWorkspace(backend, config, options);
  const pages = Math.ceil(options.kvTokens / pageTokens);
  const slots = spec.cache.some(layer => 'stateSize' in layer) ? (options.stateSlots ?? 0) : 0;
  const cache = backend.kvCache({ layers: spec.cache, pages, slots, type: options.kvType ?? 'F16' });
  const low = new LowRankBuffers(backend, Math.max(maxBatchTokens, maxOutputs));
  const given = new Given(backend, maxBatchTokens, config.width);
  return {
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
    run(batch, preempt) {
      checkBatch(batch, options, config.vocabSize);
      given.write(batch);
      record({ backend, config, work, cache, batch, rows: tokenRows(batch), low, given }, spec);
      return backend.run(preempt);
    },
    tokens: count => backend.readTokens(work.tokens, count),
    logits: (outputs, into) => backend.download(work.logits, outputs, into),
    states: (rows, into) => backend.download(work.normed, rows, into),
    async loadAdapter(file) {
      const adapter = await loadAdapter(file, backend, { architecture: config.architecture, ...spec });
      try {
        for (const { rank } of adapter.pairs.values()) low.reserve(rank);
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
}

function record(step: Step, spec: DecoderSpec): void {
  const { backend, config, work, batch } = step;
  backend.embed(work.hidden, spec.embeddings, batch.ids);
  adaptEmbeddings(step, work.hidden, batch.ids);
  if (spec.embeddingScale) backend.scale(work.hidden, spec.embeddingScale, batch.tokens);
  step.given.put(batch, work.hidden);
  spec.blocks.forEach((block, layer) => void block(step, layer));
  if (batch.states) backend.rmsNorm(work.normed, work.hidden, spec.outputNorm, config.epsilon, batch.tokens);
  const rows = outputRows(batch);
  if (rows.count === 0) return;
  backend.gather(work.outputs, work.hidden, batch.outputs);
  backend.rmsNorm(work.outputs, work.outputs, spec.outputNorm, config.epsilon, rows.count);
  project(step, [{ out: work.logits, ...spec.output }], work.outputs, { rows });
  if (spec.logitCap) backend.softcap(work.logits, spec.logitCap, rows.count);
  if (batch.sampling) backend.sample(work.tokens, work.logits, batch.sampling.rows, batch.sampling.mask);
}

function createWorkspace(
  backend: Backend,
  config: ModelConfig,
  { maxBatchTokens, maxOutputs }: ModelOptions,
): Workspace {
  const tokens = (columns: number) => backend.buffer(maxBatchTokens, columns);
  return {
    hidden: tokens(config.width),
    normed: tokens(config.width),
    q: tokens(config.heads * config.headDim),
    k: tokens(config.kvHeads * config.headDim),
    v: tokens(config.kvHeads * config.headDim),
    mixed: tokens(config.heads * config.headDim),
    gate: tokens(config.feedForward),
    up: tokens(config.feedForward),
    outputs: backend.buffer(maxOutputs, config.width),
    logits: backend.buffer(maxOutputs, config.vocabSize),
    tokens: backend.tokens(maxOutputs),
  };
}

/** The engine plans batches that fit; one that does not is a fault of its own, caught before memory is touched. */
function checkBatch(batch: Batch, { maxBatchTokens, maxOutputs }: ModelOptions, vocabSize: number): void {
  if (batch.tokens > maxBatchTokens || batch.outputs.length > maxOutputs) {
    const size = `${batch.tokens} tokens and ${batch.outputs.length} outputs`;
    throw new RealmError('internal_error', `a batch of ${size}; the model takes ${maxBatchTokens} and ${maxOutputs}`);
  }
  const stray = batch.ids.find(id => id < 0 || id >= vocabSize);
  if (stray !== undefined) throw new RealmError('internal_error', `token ${stray} of a vocabulary of ${vocabSize}`);
}
