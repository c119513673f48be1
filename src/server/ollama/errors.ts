import type { RealmError } from '../../errors.ts';
import { errorBody } from '../errors.ts';
import { type FieldNames, renamed } from '../field-names.ts';

/** Beginnings of the chat's names for fields, and what Ollama calls them. */
const names: FieldNames = [
  [/^max_tokens\b/, 'options.num_predict'],
  [/^repetition_penalty\b/, 'options.repeat_penalty'],
  [/^((?:temperature|top_k|top_p|min_p|seed|stop|presence_penalty|frequency_penalty|repeat_last_n)\b)/, 'options.$1'],
  [/^response_format\b[^:]*/, 'format'],
  [/^reasoning_effort\b/, 'think'],
];

/** Ollama's shape of an error, with Realm's code and field beside it. */
export function ollamaError(error: RealmError, requestId: string): object {
  const { message, code, param } = errorBody(renamed(error, names), requestId).error;
  return { error: message, code, param };
}
