import { choiceGrammar } from '../constrain/choice.ts';
import { gbnfGrammar } from '../constrain/gbnf.ts';
import type { Grammar } from '../constrain/grammar.ts';
import { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { anyObject, jsonSchemaGrammar } from '../constrain/json-schema/index.ts';
import { regexGrammar } from '../constrain/regex-grammar.ts';
import type { RegexStore } from '../constrain/regexes.ts';
import { RealmError } from '../errors.ts';
import type { ConstraintSource } from './constraint-source.ts';

/** Characters of a source; schemas and grammars larger than this are no one's. */
const maxLength = 512 * 1024;

/** The grammar of the answers that a request wants. Throws `schema_unsupported`, `grammar_invalid`, `grammar_limit`. */
export function grammarOf(source: ConstraintSource): { grammar: Grammar; regexes: RegexStore } {
  const builder = new GrammarBuilder();
  const grammar = grammarWith(source, builder);
  // A schema has a builder of its own.
  return { grammar, regexes: 'regexes' in grammar ? (grammar.regexes as RegexStore) : builder.regexes };
}

function grammarWith(source: ConstraintSource, builder: GrammarBuilder): Grammar {
  switch (source.kind) {
    case 'json_schema':
      return jsonSchemaGrammar(parseSchema(source.schema));
    case 'json_object':
      return jsonSchemaGrammar(anyObject);
    case 'regex':
      return regexGrammar(source.pattern, builder);
    case 'gbnf':
      return gbnfGrammar(source.grammar, builder);
    case 'choice':
      return choiceGrammar(source.choices, builder);
    case 'lark':
    case 'answer':
      throw new RealmError('grammar_invalid', `a constraint of the kind ${source.kind} cannot be enforced yet`);
  }
  return source satisfies never;
}

/** Refuses what is too large before it costs anything to look at. Throws `grammar_limit`. */
export function checkSourceSize(source: ConstraintSource): void {
  if (sizeOf(source) > maxLength)
    throw new RealmError('grammar_limit', 'the schema or grammar is larger than 512 KB: make it smaller');
}

function sizeOf(source: ConstraintSource): number {
  switch (source.kind) {
    case 'json_schema':
      return source.schema.length;
    case 'json_object':
      return 0;
    case 'regex':
      return source.pattern.length;
    case 'gbnf':
    case 'lark':
      return source.grammar.length;
    case 'choice':
      return source.choices.reduce((sum, choice) => sum + choice.length + 1, 0);
    case 'answer': {
      const tools = source.tools?.declared ?? [];
      const content = source.content ? sizeOf(source.content) : 0;
      return tools.reduce((sum, { name, parameters }) => sum + name.length + parameters.length, content);
    }
  }
  return source satisfies never;
}

function parseSchema(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RealmError('grammar_invalid', `the schema is no JSON: ${(cause as Error).message}`, { cause });
  }
}
