/** A vocabulary of every byte, then control tokens, then the end: what a grammar allows, byte by byte. */
import { type Constraint, type ConstraintState, compile } from '../../src/constrain/constraint.ts';
import { GrammarBuilder } from '../../src/constrain/grammar-builder.ts';
import { maskWords, type Vocabulary, vocabularyOf } from '../../src/constrain/vocabulary.ts';
import type { ConstraintSource } from '../../src/output-format/constraint-source.ts';
import { type ControlTokens, cutAtControl } from '../../src/output-format/control-tokens.ts';
import { constraintGrammar } from '../../src/output-format/grammar.ts';
import type { Token } from '../../src/tokenizer/types.ts';

export class ByteVocabulary {
  readonly control: ControlTokens;
  readonly end: Token;
  readonly #vocabulary: Vocabulary;

  constructor(controls: readonly string[]) {
    this.control = new Map(controls.map((text, index) => [text, (256 + index) as Token]));
    const end = (256 + controls.length) as Token;
    this.end = end;
    this.#vocabulary = vocabularyOf({
      vocabSize: end + 1,
      endOfGeneration: new Set([end]),
      bytes: token => (token < 256 ? Uint8Array.of(token) : new Uint8Array()),
    });
  }

  compile(source: ConstraintSource): Constraint {
    const builder = new GrammarBuilder();
    return compile(constraintGrammar(source, this.control, builder), builder.regexes, this.#vocabulary);
  }

  tokens(text: string): Token[] {
    return cutAtControl(text, this.control).flatMap(part =>
      typeof part === 'string' ? ([...new TextEncoder().encode(part)] as Token[]) : [part],
    );
  }

  text(tokens: readonly Token[]): string {
    const controls = new Map([...this.control].map(([text, token]) => [token, text]));
    const bytes = tokens.flatMap(token => {
      const text = controls.get(token);
      return text === undefined ? [token] : [...new TextEncoder().encode(text)];
    });
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  /** How much of the text is allowed: all of it where the answer may end there too. */
  allowed(source: ConstraintSource | Constraint, text: string): string {
    const state = ('kind' in source ? this.compile(source) : source).start();
    const tokens = this.tokens(text);
    const taken = tokens.findIndex(token => !state.accept(token));
    if (taken >= 0) return this.text(tokens.slice(0, taken));
    return state.isAccepting ? text : `${text} …`;
  }

  /** Tokens that may come. */
  allowedNext(state: ConstraintState): Token[] {
    const mask = new Uint32Array(maskWords(this.end + 1));
    state.mask(mask);
    return Array.from({ length: this.end + 1 }, (_, token) => token as Token).filter(
      token => ((mask[token >> 5] ?? 0) >>> (token & 31)) & 1,
    );
  }
}
