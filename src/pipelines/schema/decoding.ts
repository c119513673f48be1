import { jsonSchemaGrammar } from '../../constrain/json-schema/index.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import { annotations } from './keywords.ts';
import type { JsonSchema } from './types.ts';

/** How a text that somebody answers with becomes a value, and what a model's decoding is held to for that. */
export interface Decoding {
  readonly constraint?: ConstraintSource | undefined;
  /** Throws SyntaxError for a text that is no JSON. */
  read(text: string): unknown;
}

const asText: Decoding = { read: text => text };

/** A plain string is the text itself, and one of several strings is that string; all else is JSON. */
export function decodingOf(schema: JsonSchema): Decoding {
  if (typeof schema === 'object') {
    const said = Object.keys(schema).filter(keyword => !annotations.includes(keyword));
    if (schema.type === 'string' && said.length === 1) return asText;
    const choices = 'const' in schema ? [schema.const] : schema.enum;
    const only = said.every(keyword => ['type', 'enum', 'const'].includes(keyword));
    if (only && Array.isArray(choices) && choices.every(each => typeof each === 'string' && each !== '')) {
      return { constraint: { kind: 'choice', choices }, read: text => text.trim() };
    }
  }
  return { constraint: { kind: 'json_schema', schema: JSON.stringify(schema) }, read: text => JSON.parse(text) };
}

/** Why no decoding can be held to a schema; undefined where it can. The engine would find it out with the first run. */
export function unenforceable(schema: JsonSchema): string | undefined {
  try {
    jsonSchemaGrammar(schema);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
