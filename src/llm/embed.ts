import { errorOf } from '../engine/failure.ts';
import type { Engine, EngineUsage } from '../engine/types.ts';
import { RealmError } from '../errors.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { Token } from '../tokenizer/types.ts';
import type { ModelText } from './model-text.ts';
import { refuseLongText } from './prompt.ts';

export interface EmbeddingRequest {
  readonly id: string;
  readonly tenant: string;
  readonly tokens: readonly Token[];
  readonly adapter?: string;
  /** Milliseconds that it may wait for its first step. */
  readonly queueMs?: number;
}

export interface Embedding {
  /** Of length 1. [width] */
  readonly values: Float32Array;
  readonly usage: EngineUsage;
}

/** The embedding of one text. Throws what the engine reports, and `request_cancelled`. */
export async function embed(engine: Engine, request: EmbeddingRequest, signal?: AbortSignal): Promise<Embedding> {
  const asked = { ...request, embed: true, maxTokens: 1, sampling: {}, stopTokens: [] };
  for await (const event of engine.submit(asked, signal)) {
    if (event.kind === 'error') throw errorOf(event);
    if (event.kind === 'end' && event.embedding) return { values: event.embedding, usage: event.usage };
  }
  throw new RealmError('request_cancelled', 'the request was cancelled');
}

/** Texts of one caller that are in the engine at once: enough to fill its steps, few beside a tenant's queue. */
const atOnce = 32;

/** Embeds all in the engine's own order; the first failure ends them all. `onEmbedding` hears of each that is ready. */
export async function embedAll(
  engine: Engine,
  requests: readonly EmbeddingRequest[],
  signal?: AbortSignal,
  onEmbedding?: (embedding: Embedding) => void,
): Promise<Embedding[]> {
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const embeddings: Embedding[] = [];
  let next = 0;
  const work = async () => {
    while (next < requests.length) {
      const i = next++;
      embeddings[i] = await embed(engine, requests[i], either);
      onEmbedding?.(embeddings[i]);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
    return embeddings;
  } finally {
    failed.abort();
  }
}

export interface InputOptions {
  /** Most tokens of one text. */
  readonly context: number;
  /** Read control tokens in it. Default false. */
  readonly parseSpecial?: boolean;
}

/**
 * The tokens of a text for an embedding. Documents are values: what they say is no control token. Throws `invalid_request`,
 * `context_length_exceeded`.
 */
export function* encodeInput(
  { tokenizer }: ModelText,
  input: string | Float64Array,
  { context, parseSpecial = false }: InputOptions,
  param: string,
): Steps<Int32Array> {
  const wrong = (message: string) => new RealmError('invalid_request', `${param}: ${message}`, { param });
  if (typeof input === 'string') refuseLongText(tokenizer, input, context, param);
  const tokens = typeof input === 'string' ? yield* tokenizer.encodeInSteps(input, { parseSpecial }) : input;
  if (tokens.length === 0) throw wrong('is empty');
  const stray = tokens.find(token => token >= tokenizer.vocabSize);
  if (stray !== undefined) throw wrong(`has token ${stray}; the vocabulary has ${tokenizer.vocabSize}`);
  if (tokens.length <= context) return Int32Array.from(tokens);
  const message = `${param}: has ${tokens.length} tokens and the model's context is ${context}; shorten it`;
  throw new RealmError('context_length_exceeded', message, { param });
}
