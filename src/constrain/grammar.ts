import type { Token } from '../tokenizer/types.ts';
import type { RegexId } from './regex.ts';

/**
 * A context-free grammar over lexemes: what every front end (JSON Schema, regular expression, Lark, GBNF, choice) makes
 * and the engine runs. The language is exactly that of the grammar with each lexeme replaced by its regular
 * expression: where lexemes end is found by trying every possibility, never by longest match.
 */
export interface Grammar {
  readonly rules: readonly Rule[];
  readonly start: RuleId;
  readonly lexemes: readonly Lexeme[];
}

export type RuleId = number & { readonly __brand: 'RuleId' };
export type LexemeId = number & { readonly __brand: 'LexemeId' };

export interface Rule {
  /** For messages: what the front end's source calls it. */
  readonly name: string;
  /** Each a sequence of symbols; an empty one matches the empty text. */
  readonly alternatives: readonly (readonly GrammarSymbol[])[];
}

/** `tokens`: one of these vocabulary entries, by number (special tokens); its bytes are not looked at. */
export type GrammarSymbol =
  | { readonly kind: 'rule'; readonly rule: RuleId }
  | { readonly kind: 'lexeme'; readonly lexeme: LexemeId }
  | { readonly kind: 'tokens'; readonly tokens: readonly Token[] };

export interface Lexeme {
  readonly name: string;
  readonly regex: RegexId;
  /**
   * The front end promises that no text that may follow this lexeme in the grammar goes on with a byte that the lexeme
   * could go on with, as behind a JSON number. The engine may then take the longest match; the language is the same.
   */
  readonly greedy?: boolean;
}
