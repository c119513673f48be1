import { RealmError } from '../errors.ts';
import type { EngineRequest } from './types.ts';

/** Refuses what can never run: `invalid_request`, or `context_length_exceeded` with both numbers. */
export function checkRequest(request: EngineRequest, vocabSize: number, context: number): void {
  const { tokens, maxTokens, topLogprobs, embed } = request;
  if (tokens.length === 0) throw invalid('tokens', 'the prompt is empty: it needs at least one token');
  for (const token of tokens) {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabSize)) {
      throw invalid('tokens', `the prompt has token ${token}, but the vocabulary has ${vocabSize} tokens`);
    }
  }
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1)) {
    throw invalid('maxTokens', `must be an integer of 1 or more, not ${maxTokens}`);
  }
  if (topLogprobs !== undefined && !(Number.isInteger(topLogprobs) && topLogprobs >= 0 && topLogprobs <= 100)) {
    throw invalid('topLogprobs', `must be an integer from 0 to 100, not ${topLogprobs}`);
  }
  if (request.priority !== undefined && !Number.isFinite(request.priority)) {
    throw invalid('priority', `must be a number, not ${request.priority}`);
  }
  if (request.queueMs !== undefined && !(request.queueMs >= 1 && request.queueMs < 2 ** 31)) {
    throw invalid('queueMs', `must be from 1 to ${2 ** 31 - 1}, not ${request.queueMs}`);
  }
  if (embed && tokens.length > context) {
    const message = `the text has ${tokens.length} tokens, but the context is ${context}: shorten it`;
    throw new RealmError('context_length_exceeded', message, { param: 'tokens' });
  }
  if (!embed && tokens.length >= context) {
    throw new RealmError(
      'context_length_exceeded',
      `the prompt has ${tokens.length} tokens, but prompt and answer together may have ${context}: shorten the prompt`,
      { param: 'tokens' },
    );
  }
}

function invalid(param: string, message: string): RealmError {
  return new RealmError('invalid_request', message.startsWith('must') ? `${param} ${message}` : message, { param });
}
