import type { Backend, Buffer, KvCache, LayerShape, Matrix, TokenBuffer } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import { Given } from './given.ts';
import { checkBatch, modelOn } from './model-on.ts';
import { type Norm, normalise } from './norm.ts';
import { adaptEmbeddings, type LowRankBuffers, outputRows, project, type Rows, tokenRows } from './project.ts';
import type { Linear } from './tensors.ts';
import type { Batch, Head, Model, ModelOptions } from './types.ts';

/** Work buffers of layers, sized for the largest batch. */
export interface LayerWork {
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
}

/** Those at a decoder's end. */
interface Workspace extends LayerWork {
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
  readonly work: LayerWork;
  readonly cache: KvCache;
  readonly batch: Batch;
  /** The batch's tokens, and whose adapters they go through. */
  readonly rows: Rows;
  readonly low: LowRankBuffers;
}

/** Adds the attention and the feed-forward network of layer `layer` to `work.hidden`. */
export type Block = (step: Step, layer: number) => void;

/** What differs between decoders: the weights at both ends and what happens in a layer. */
export interface DecoderSpec {
  readonly config: ModelConfig;
  readonly embeddings: Matrix;
  /** Factor on the embeddings (gemma, granite). */
  readonly embeddingScale?: number | undefined;
  /** One for each layer. */
  readonly blocks: readonly Block[];
  /** What each layer keeps of a sequence. */
  readonly cache: readonly LayerShape[];
  readonly outputNorm: Norm;
  readonly output: Linear;
  /** Every matrix that is multiplied by {@link project}. */
  readonly linears: readonly Linear[];
  /** Factor on the logits (granite). */
  readonly logitScale?: number | undefined;
  /** Logits become cap * tanh(logit / cap) (gemma 2). */
  readonly logitCap?: number | undefined;
  readonly head?: Head | undefined;
}

/** A decoder-only transformer: embed, the layers, norm, logits. Closing the model closes its backend. */
export function createDecoder(backend: Backend, options: ModelOptions, spec: DecoderSpec): Model {
  const { config } = spec;
  const work = createWorkspace(backend, config, options);
  const { model, cache, low } = modelOn(backend, options, spec);
  const given = new Given(backend, options.maxBatchTokens, config.width);
  return {
    ...model,
    head: spec.head,
    run(batch, preempt) {
      checkBatch(batch, options, config.vocabSize);
      given.write(batch);
      record({ backend, config, work, cache, batch, rows: tokenRows(batch), low }, work, spec, given);
      return backend.run(preempt);
    },
    tokens: count => backend.readTokens(work.tokens, count),
    logits: (outputs, into) => backend.download(work.logits, outputs, into),
    states: (rows, into) => backend.download(work.normed, rows, into),
  };
}

function record(step: Step, work: Workspace, spec: DecoderSpec, given: Given): void {
  const { backend, batch } = step;
  backend.embed(work.hidden, spec.embeddings, batch.ids);
  adaptEmbeddings(step, work.hidden, batch.ids);
  if (spec.embeddingScale) backend.scale(work.hidden, spec.embeddingScale, batch.tokens);
  given.put(batch, work.hidden);
  spec.blocks.forEach((block, layer) => void block(step, layer));
  if (batch.states) normalise(step, work.normed, work.hidden, spec.outputNorm, batch.tokens);
  const rows = outputRows(batch);
  if (rows.count === 0) return;
  backend.gather(work.outputs, work.hidden, batch.outputs);
  normalise(step, work.outputs, work.outputs, spec.outputNorm, rows.count);
  project(step, [{ out: work.logits, ...spec.output }], work.outputs, { rows });
  if (spec.logitScale) backend.scale(work.logits, spec.logitScale, rows.count);
  if (spec.logitCap) backend.softcap(work.logits, spec.logitCap, rows.count);
  if (batch.sampling) backend.sample(work.tokens, work.logits, batch.sampling.rows, batch.sampling.mask);
}

function createWorkspace(backend: Backend, config: ModelConfig, options: ModelOptions): Workspace {
  const { maxOutputs } = options;
  return {
    ...layerWork(backend, config, options),
    outputs: backend.buffer(maxOutputs, config.width),
    logits: backend.buffer(maxOutputs, config.vocabSize),
    tokens: backend.tokens(maxOutputs),
  };
}

export function layerWork(backend: Backend, config: ModelConfig, { maxBatchTokens }: ModelOptions): LayerWork {
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
  };
}
