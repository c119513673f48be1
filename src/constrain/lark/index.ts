import { RealmError } from '../../errors.ts';
import type { Grammar, GrammarSymbol, RuleId } from '../grammar.ts';
import { GrammarBuilder } from '../grammar-builder.ts';
import { addJsonSchema } from '../json-schema/index.ts';
import { type Piece, Pieces } from '../pieces.ts';
import { productive } from '../productive.ts';
import { type SpecialTokens, specialTokens } from './special-tokens.ts';
import { type Definition, type Expression, type LarkSyntax, parseLark } from './syntax.ts';
import { Terminals } from './terminals.ts';
import { failLark } from './tokens.ts';

export { type SpecialTokens, specialTokensOf } from './special-tokens.ts';

const maxLength = 512 * 1024;

/**
 * Reads Lark in llguidance's dialect; the rule `start` is what an answer must be. Where lexemes end is found by trying
 * every possibility, as with Lark's `dynamic_complete`. Without a vocabulary there are no special tokens.
 */
export function larkGrammar(source: string, builder = new GrammarBuilder(), vocabulary?: SpecialTokens): Grammar {
  if (source.length > maxLength) throw new RealmError('grammar_limit', 'the grammar is longer than 512 KB');
  return new LarkCompiler(source, builder, vocabulary).compile();
}

class LarkCompiler {
  readonly #source: string;
  readonly #builder: GrammarBuilder;
  readonly #vocabulary: SpecialTokens | undefined;
  readonly #syntax: LarkSyntax;
  readonly #terminals: Terminals;
  readonly #pieces: Pieces;
  readonly #rules = new Map<string, RuleId>();
  /** What `%ignore` lets stand before anything that is no lexeme, and behind everything. */
  readonly #gap: readonly GrammarSymbol[];

  constructor(source: string, builder: GrammarBuilder, vocabulary: SpecialTokens | undefined) {
    this.#source = source;
    this.#builder = builder;
    this.#vocabulary = vocabulary;
    this.#syntax = parseLark(source);
    const { regexes } = builder;
    this.#terminals = new Terminals(source, this.#syntax, regexes);
    const ignored = this.#syntax.ignored.map(expression => this.#terminals.of(expression));
    const gap = ignored.length > 0 ? regexes.repeat(regexes.or(ignored), 0) : undefined;
    this.#pieces = new Pieces(builder, gap);
    this.#gap = gap === undefined ? [] : new Pieces(builder).symbols({ regex: gap });
  }

  compile(): Grammar {
    const { rules } = this.#syntax;
    if (!rules.has('start'))
      throw new RealmError('grammar_invalid', 'the grammar cannot be read: it has no rule start');
    for (const name of rules.keys()) this.#rules.set(name, this.#builder.declare(name));
    for (const [name, definition] of rules) this.#builder.define(this.#rules.get(name)!, [this.#symbols(definition)]);
    const whole = this.#builder.declare('whole');
    this.#builder.define(whole, [[this.#builder.use(this.#rules.get('start')!), ...this.#gap]]);
    return productive(this.#builder.build(whole));
  }

  #symbols(definition: Definition): readonly GrammarSymbol[] {
    const { expression, lazy, at } = definition;
    if (!lazy) return this.#pieces.symbols(this.#piece(expression));
    if (!this.#terminals.isTerminal(expression))
      failLark(this.#source, at, 'only a rule without rules in it can be lazy');
    return this.#pieces.symbols({ regex: this.#terminals.defined(definition) });
  }

  #piece(expression: Expression): Piece {
    switch (expression.kind) {
      case 'or':
        return this.#pieces.or(expression.parts.map(part => this.#piece(part)));
      case 'concat':
        return this.#pieces.concat(expression.parts.map(part => this.#piece(part)));
      case 'repeat':
        return this.#pieces.repeat(this.#piece(expression.part), expression.min, expression.max);
      case 'rule':
        return { symbols: [this.#builder.use(this.#rule(expression.name, expression.at))] };
      case 'special':
        return { symbols: [...this.#gap, this.#special(expression.name, expression.at)] };
      case 'json':
        return { symbols: [...this.#gap, addJsonSchema(expression.schema, this.#builder)] };
      default:
        return { regex: this.#terminals.of(expression) };
    }
  }

  #rule(name: string, at: number): RuleId {
    return this.#rules.get(name) ?? failLark(this.#source, at, `the rule ${name} is used but not defined`);
  }

  #special(name: string, at: number): GrammarSymbol {
    if (!this.#vocabulary) return failLark(this.#source, at, 'special tokens cannot be named here');
    const tokens = specialTokens(name, this.#vocabulary);
    return typeof tokens === 'string' ? failLark(this.#source, at, tokens) : { kind: 'tokens', tokens };
  }
}
