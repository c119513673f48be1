import { checkLength } from '../engine/admission.ts';
import { errorOf } from '../engine/failure.ts';
import type { EmbedRequest, EngineUsage } from '../engine/request.ts';
import type { Engine } from '../engine/types.ts';
import { RealmError } from '../errors.ts';
import { checkTokens } from '../ranges.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { ModelText } from './model-text.ts';
import { refuseLongText } from './prompt.ts';

export interface Embedding {
  /** Of length 1. [width] */
  readonly values: Float32Array;
  readonly usage: EngineUsage;
}

/** The embedding of one text. Throws what the engine reports, and `request_cancelled`. */
export async function embed(engine: Engine, request: EmbedRequest, signal?: AbortSignal): Promise<Embedding> {
  for await (const event of engine.submit({ ...request, embed: true, sampling: {} }, signal)) {
    if (event.kind === 'error') throw errorOf(event);
    if (event.kind === 'end' && event.embedding) return { values: event.embedding, usage: event.usage };
  }
  throw new RealmError('request_cancelled', 'the request was cancelled');
}

/** Texts of one caller that are in the engine at once: enough to fill its steps, few beside a tenant's queue. */
const atOnce = 32;

/** Embeds all with `embedOne`, in their order; the first failure ends them all. `onEmbedding` hears of each that is ready. */
export async function embedAll(
  embedOne: (request: EmbedRequest, signal: AbortSignal) => Promise<Embedding>,
  requests: readonly EmbedRequest[],
  signal?: AbortSignal,
  onEmbedding?: (embedding: Embedding) => void,
): Promise<Embedding[]> {
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const embeddings: Embedding[] = [];
  // All workers take from one iterator, so each request is taken once.
  const queue = requests.entries();
  const work = async () => {
    for (const [i, request] of queue) {
      const embedding = await embedOne(request, either);
      embeddings[i] = embedding;
      onEmbedding?.(embedding);
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
  readonly parseSpecial?: boolean | undefined;
  /** A text that is too long loses its end instead of being refused. */
  readonly truncate?: boolean | undefined;
}

/**
 * The tokens of a text for an embedding. Documents are values: what they say is no control token. Throws `invalid_request`,
 * `context_length_exceeded`.
 */
export function* encodeInput(
  { tokenizer }: ModelText,
  input: string | Float64Array,
  { context, parseSpecial = false, truncate = false }: InputOptions,
  param: string,
): Steps<Int32Array> {
  if (typeof input === 'string' && !truncate) refuseLongText(tokenizer, input, context, param);
  const text = typeof input === 'string' && truncate ? input.slice(0, longestText(tokenizer, context)) : input;
  const all = typeof text === 'string' ? yield* tokenizer.encodeInSteps(text, { parseSpecial }) : text;
  const tokens = truncate ? all.slice(0, context) : all;
  checkLength(tokens.length, context, { embed: true, param });
  checkTokens(tokens, tokenizer.vocabSize, () => param);
  return Int32Array.from(tokens);
}

/** What is behind so many characters is in none of the tokens that fit. */
const longestText = ({ maxTokenBytes = Number.POSITIVE_INFINITY }: ModelText['tokenizer'], context: number): number =>
  maxTokenBytes * context;
