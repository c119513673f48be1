import { RealmError } from '../errors.ts';
import { isWithin, outside, ranges } from '../ranges.ts';
import type { EngineRequest } from './types.ts';

/** Refuses what can never run: `invalid_request`, or `context_length_exceeded` with both numbers. Fields have the names that clients know. */
export function checkRequest(request: EngineRequest, vocabSize: number, context: number): void {
  const { tokens, maxTokens, embed } = request;
  if (tokens.length === 0) throw invalid('prompt', 'the prompt is empty: it needs at least one token');
  for (const token of tokens) {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabSize)) {
      throw invalid('prompt', `the prompt has token ${token}, but the vocabulary has ${vocabSize} tokens`);
    }
  }
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1)) {
    throw invalid('max_tokens', `must be an integer of 1 or more, not ${maxTokens}`);
  }
  for (const key of ['topLogprobs', 'priority'] as const) {
    const value = request[key];
    if (value !== undefined && !isWithin(value, ranges[key]))
      throw invalid(ranges[key].field, outside(value, ranges[key]));
  }
  if (request.queueMs !== undefined && !(request.queueMs >= 1 && request.queueMs < 2 ** 31)) {
    throw invalid('queue_ms', `must be from 1 to ${2 ** 31 - 1}, not ${request.queueMs}`);
  }
  if (embed && tokens.length > context) {
    const message = `the text has ${tokens.length} tokens, but the context is ${context}: shorten it`;
    throw new RealmError('context_length_exceeded', message, { param: 'prompt' });
  }
  if (!embed && tokens.length >= context) {
    throw new RealmError(
      'context_length_exceeded',
      `the prompt has ${tokens.length} tokens, but prompt and answer together may have ${context}: shorten the prompt`,
      { param: 'prompt' },
    );
  }
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

function invalid(param: string, message: string): RealmError {
  return new RealmError('invalid_request', message.startsWith('must') ? `${param} ${message}` : message, { param });
}
