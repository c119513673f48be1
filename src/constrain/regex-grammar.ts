import { RealmError } from '../errors.ts';
import type { Grammar } from './grammar.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { compileWhole } from './regex-compile.ts';
import { RegexTests } from './regex-tests.ts';
import { textSymbols } from './text-symbols.ts';

/** Regular expressions longer than this are no one's. */
const maxLength = 512 * 1024;

/** A whole text that matches, as for `guided_regex`. */
export function regexGrammar(source: string, builder = new GrammarBuilder()): Grammar {
  if (source.length > maxLength) throw new RealmError('grammar_limit', 'the regular expression is longer than 512 KB');
  const regex = compileWhole(source, builder.regexes);
  if (new RegexTests(builder.regexes).isNothing(regex)) {
    throw new RealmError('grammar_invalid', 'the regular expression matches nothing: it contradicts itself');
  }
  const start = builder.declare('regex');
  builder.define(start, [textSymbols('regex', regex, builder)]);
  return builder.build(start);
}
