import { RealmError } from '../errors.ts';
import type { ConstraintSource } from '../output-format/constraint-source.ts';
import type { ChatMessage } from '../tokenizer/types.ts';
import type { Constraint } from './options.ts';

/** The messages of a chat, checked: JavaScript's callers have no types. Throws `invalid_request` with the first that is wrong. */
export function messagesOf(messages: string | readonly ChatMessage[]): readonly ChatMessage[] {
  if (typeof messages === 'string') return [{ role: 'user', content: messages }];
  if (!Array.isArray(messages) || messages.length === 0)
    throw wrong('messages', 'must be a text, or a list of messages');
  for (const [i, message] of messages.entries()) {
    for (const field of ['role', 'content']) {
      if (typeof message?.[field] !== 'string') throw wrong(`messages[${i}].${field}`, 'must be a string');
    }
  }
  return messages;
}

/** Throws `invalid_request` for what is no string. */
export function textOf(text: string, param: string): string {
  if (typeof text === 'string') return text;
  throw wrong(param, 'must be a string');
}

/** Throws `invalid_request` for what is no string, or an empty one, which would end every answer at once. */
export function stopsOf(stop: string | readonly string[] | undefined): readonly string[] {
  const stops = stop === undefined ? [] : [stop].flat();
  if (stops.every(each => typeof each === 'string' && each !== '')) return stops;
  throw wrong('stop', 'must be a string or a list of strings, none of them empty');
}

/** Throws `invalid_request` for what is none of the kinds of constraint, or more than one. */
export function constraintOf(constraint: Constraint | undefined): ConstraintSource | undefined {
  if (constraint === undefined) return undefined;
  const { schema, regex, grammar, choice } = (constraint ?? {}) as Partial<Record<string, unknown>>;
  const sources: ConstraintSource[] = [];
  if (typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null))
    sources.push({ kind: 'json_schema', schema: JSON.stringify(schema) });
  if (typeof regex === 'string') sources.push({ kind: 'regex', pattern: regex });
  if (typeof grammar === 'string') sources.push({ kind: 'gbnf', grammar });
  if (Array.isArray(choice) && choice.every(each => typeof each === 'string'))
    sources.push({ kind: 'choice', choices: choice });
  if (sources.length === 1) return sources[0];
  throw wrong(
    'constraint',
    'must have one of schema (an object), regex, grammar (strings) and choice (a list of strings)',
  );
}

export function wrong(param: string, message: string): RealmError {
  return new RealmError('invalid_request', `${param}: ${message}`, { param });
}
