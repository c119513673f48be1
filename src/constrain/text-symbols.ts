import type { GrammarSymbol } from './grammar.ts';
import type { GrammarBuilder } from './grammar-builder.ts';
import type { RegexId } from './regex.ts';

/** The symbols of a regular expression; a lexeme has at least one byte, so the empty text is an alternative of its own. */
export function textSymbols(name: string, regex: RegexId, builder: GrammarBuilder): readonly GrammarSymbol[] {
  if (regex === builder.regexes.empty) return [];
  const lexeme = builder.lexeme(name, regex);
  return builder.regexes.node(regex).nullable ? [builder.rule(name, [[], [lexeme]])] : [lexeme];
}
