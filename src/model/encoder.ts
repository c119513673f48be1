import type { Backend, LayerShape, Matrix, Vector } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import { type Block, layerWork, type Step } from './decoder.ts';
import { checkBatch, modelOn } from './model-on.ts';
import { adaptEmbeddings, tokenRows } from './project.ts';
import type { Linear } from './tensors.ts';
import type { Head, Model, ModelOptions } from './types.ts';

/** What differs between encoders. */
export interface EncoderSpec {
  readonly config: ModelConfig;
  readonly embeddings: Matrix;
  /** Factor on the embeddings. */
  readonly embeddingScale?: number | undefined;
  /** What becomes of the tokens' embeddings, in `work.hidden`, before the first layer. */
  readonly enter?: ((step: Step) => void) | undefined;
  readonly blocks: readonly Block[];
  /** Of one layer: all write into the same pages, one after the other, since nobody comes back to them. */
  readonly cache: readonly [LayerShape];
  readonly outputNorm?: Vector | undefined;
  readonly linears: readonly Linear[];
  readonly head?: Head | undefined;
}

/** A transformer whose tokens see the whole text: embed, the layers. Closing the model closes its backend. */
export function createEncoder(backend: Backend, options: ModelOptions, spec: EncoderSpec): Model {
  const { config, embeddings, embeddingScale, enter, blocks, outputNorm, head } = spec;
  const work = layerWork(backend, config, options);
  const { model, cache, low } = modelOn(backend, options, spec);
  const { hidden } = work;
  return {
    ...model,
    pooling: config.pooling ?? 'mean',
    head,
    encoder: true,
    run(batch, preempt) {
      checkBatch(batch, options, config.vocabSize);
      const step = { backend, config, work, cache, batch, rows: tokenRows(batch), low };
      backend.embed(hidden, embeddings, batch.ids);
      adaptEmbeddings(step, hidden, batch.ids);
      if (embeddingScale) backend.scale(hidden, embeddingScale, batch.tokens);
      enter?.(step);
      for (const block of blocks) block(step, 0);
      if (outputNorm) backend.rmsNorm(hidden, hidden, outputNorm, config.epsilon, batch.tokens);
      return backend.run(preempt);
    },
    states: (rows, into) => backend.download(hidden, rows, into),
    tokens: noTokens,
    logits: noTokens,
  };
}

function noTokens(): never {
  throw new RealmError('internal_error', 'an encoder makes no tokens');
}
