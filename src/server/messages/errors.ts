import type { RealmError } from '../../errors.ts';
import { errorBody } from '../errors.ts';
import { type FieldNames, renamed } from '../field-names.ts';

/** Beginnings of the chat's names for fields, and what the Messages API calls them. */
const names: FieldNames = [
  [/^stop\b/, 'stop_sequences'],
  [/^(tools\[\d+\])\.function\.parameters\b/, '$1.input_schema'],
  [/^(tools\[\d+\])\.function\b/, '$1'],
  [/^tool_choice\.function\b/, 'tool_choice'],
  [/^response_format\b[^:]*/, 'output_config.format'],
  [/^reasoning_effort\b/, 'output_config.effort'],
];

/** Anthropic's shape of an error, with Realm's code and field beside it. */
export function messagesError(error: RealmError, requestId: string) {
  const { message, code, param } = errorBody(renamed(error, names), requestId).error;
  return { type: 'error', error: { type: errorType(error.status), message, code, param }, request_id: requestId };
}

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

function errorType(status: number): string {
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
