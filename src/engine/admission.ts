import { RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import { checkRange, checkTokens, ranges } from '../ranges.ts';
import type { GenerateRequest } from './request.ts';

const checked = ['maxTokens', 'minTokens', 'topLogprobs', 'promptLogprobs', 'priority', 'queueMs'] as const;
/** Log-probabilities that may be asked for with each token. */
const mostScored = 256;

/**
 * Refuses what can never run: `invalid_request`, or `context_length_exceeded` with both numbers. Fields have the names that
 * clients know. What a request says of sampling is checked where it is resolved (`sampling/sampling.ts`).
 */
export function checkRequest(request: GenerateRequest, vocabSize: number, context: number): void {
  checkTokens(request.prompt, vocabSize, () => 'prompt');
  for (const key of checked) checkRange(request[key], ranges[key]);
  checkAnswered(request, vocabSize);
  const { minTokens = 0, maxTokens = Number.POSITIVE_INFINITY, answered = 0, keepsTail } = request;
  // Where another goes on behind it, it is for that one to reach them.
  if (minTokens > answered + maxTokens && !keepsTail) {
    const message = `min_tokens: must be at most max_tokens, ${maxTokens}, not ${minTokens}`;
    throw new RealmError('invalid_request', message, { param: ranges.minTokens.field });
  }
  checkLength(request.prompt.length, context, request);
}

/** Refuses what a request says of tokens beside its prompt. */
function checkAnswered({ prompt, answered = 0, draft, scoredTokens }: GenerateRequest, vocabSize: number): void {
  checkRange(answered, { field: 'answered', min: 0, max: prompt.length, integer: true });
  checkTokens(draft ?? [], vocabSize, () => 'draft');
  checkTokens(scoredTokens ?? [], vocabSize, () => 'scored_tokens');
  checkRange(scoredTokens?.length, {
    field: 'scored_tokens',
    min: 0,
    max: mostScored,
    words: `at most ${mostScored} tokens`,
  });
}

/** Refuses a prompt without tokens, and one that leaves no room for an answer. `param`: what its sender calls it. */
export function checkLength(
  tokens: number,
  context: number,
  { embed = false, maxTokens, param = 'prompt' }: Pick<GenerateRequest, 'embed' | 'maxTokens'> & { param?: string },
): void {
  if (tokens === 0)
    throw new RealmError('invalid_request', `${param}: has no tokens: the model needs at least one`, { param });
  const alone = embed || maxTokens === 0;
  if (tokens < context || (alone && tokens === context)) return;
  const whole = alone ? '' : ', answer included';
  const message = `${param}: has ${tokens} tokens and the model's context is ${context}${whole}; shorten it`;
  throw new RealmError('context_length_exceeded', message, { param });
}

/** The error of a request for an answer to a model that makes none. */
export function noDecoder({ pooling }: Pick<Model, 'pooling'>): RealmError {
  const what =
    pooling === 'rank'
      ? 'ranks texts and makes none: use /v1/rerank'
      : 'embeds texts and makes none: use /v1/embeddings';
  return new RealmError('invalid_request', `the model ${what}, or another model`, { param: 'model' });
}

/** The error of a request whose tenant has `waiting` requests in the queue already. `retryAfter`: seconds. */
export function queueFull(waiting: number, retryAfter: number): RealmError {
  const message = `${waiting} requests of this tenant are waiting already: try again in ${retryAfter} s`;
  return new RealmError('queue_full', message, { retryAfter });
}

/** The error of a request that had no step within `ms`. `retryAfter`: seconds. */
export function queueTimeout(ms: number, retryAfter: number): RealmError {
  const message = `the request waited ${ms} ms and had not begun: the server is busy`;
  return new RealmError('queue_timeout', message, { retryAfter });
}
