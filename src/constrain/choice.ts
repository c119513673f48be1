import { RealmError } from '../errors.ts';
import type { Grammar } from './grammar.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { textSymbols } from './text-symbols.ts';

/** One of these texts, as for `guided_choice`. */
export function choiceGrammar(choices: readonly string[], builder = new GrammarBuilder()): Grammar {
  if (choices.length === 0) throw new RealmError('grammar_invalid', 'there is nothing to choose from');
  const start = builder.declare('choice');
  const regex = builder.regexes.or(choices.map(choice => builder.regexes.literal(choice)));
  builder.define(start, [textSymbols('choice', regex, builder)]);
  return builder.build(start);
}
