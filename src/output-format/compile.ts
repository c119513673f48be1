import type { Grammar } from '../constrain/grammar.ts';
import { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { RegexStore } from '../constrain/regexes.ts';
import { RealmError } from '../errors.ts';
import type { ConstraintSource } from './constraint-source.ts';
import type { ControlTokens } from './control-tokens.ts';
import { constraintGrammar } from './grammar.ts';

/** Characters of a source; schemas and grammars larger than this are no one's. */
const maxLength = 512 * 1024;

/**
 * The grammar of the answers that a request wants of a model with these control tokens. Throws `schema_unsupported`,
 * `grammar_invalid`, `grammar_limit`.
 */
export function grammarOf(source: ConstraintSource, control: ControlTokens): { grammar: Grammar; regexes: RegexStore } {
  const builder = new GrammarBuilder(new RegexStore());
  return { grammar: constraintGrammar(source, control, builder), regexes: builder.regexes };
}

/** Refuses what is too large before it costs anything to look at. Throws `grammar_limit`. */
export function checkSourceSize(source: ConstraintSource): void {
  if (sizeOf(source) > maxLength)
    throw new RealmError('grammar_limit', 'the schema or grammar is larger than 512 KB: make it smaller');
}

/** Characters. */
export function sizeOf(source: ConstraintSource): number {
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
