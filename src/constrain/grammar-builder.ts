import { RealmError } from '../errors.ts';
import type { Grammar, GrammarSymbol, Lexeme, LexemeId, Rule, RuleId } from './grammar.ts';
import type { RegexId } from './regex.ts';
import { RegexStore } from './regexes.ts';

/** Symbols of all rules together. */
const maxSymbols = 500_000;

/** Collects rules and lexemes. A rule may be used before it is defined, so rules may be recursive. */
export class GrammarBuilder {
  readonly regexes: RegexStore;
  readonly #rules: { readonly name: string; alternatives?: Rule['alternatives'] }[] = [];
  readonly #lexemes: Lexeme[] = [];
  readonly #lexemeIds = new Map<string, LexemeId>();
  #symbols = 0;

  constructor(regexes = new RegexStore()) {
    this.regexes = regexes;
  }

  /** A rule that is defined later. */
  declare(name: string): RuleId {
    return (this.#rules.push({ name }) - 1) as RuleId;
  }

  define(rule: RuleId, alternatives: readonly (readonly GrammarSymbol[])[]): void {
    this.#symbols += alternatives.reduce((sum, symbols) => sum + symbols.length + 1, 0);
    if (this.#symbols > maxSymbols) {
      throw new RealmError('grammar_limit', `the grammar has more than ${maxSymbols} symbols: make it smaller`);
    }
    this.#rules[rule].alternatives = alternatives;
  }

  rule(name: string, alternatives: readonly (readonly GrammarSymbol[])[]): GrammarSymbol {
    const rule = this.declare(name);
    this.define(rule, alternatives);
    return this.use(rule);
  }

  use(rule: RuleId): GrammarSymbol {
    return { kind: 'rule', rule };
  }

  /** The lexeme of that regular expression; the first one's name stays. */
  lexeme(name: string, regex: RegexId, options: { greedy?: boolean } = {}): GrammarSymbol {
    const key = `${regex},${options.greedy === true}`;
    let lexeme = this.#lexemeIds.get(key);
    if (lexeme === undefined) {
      lexeme = (this.#lexemes.push({ name, regex, ...(options.greedy ? { greedy: true } : {}) }) - 1) as LexemeId;
      this.#lexemeIds.set(key, lexeme);
    }
    return { kind: 'lexeme', lexeme };
  }

  build(start: RuleId): Grammar {
    const rules = this.#rules.map(({ name, alternatives }) => {
      if (alternatives) return { name, alternatives };
      throw new RealmError('grammar_invalid', `the rule '${name}' is used but not defined`);
    });
    return { rules, start, lexemes: this.#lexemes };
  }
}
