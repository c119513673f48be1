import { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Grammar, GrammarSymbol, RuleId } from './grammar.ts';

/** A number for each symbol: rules first, then lexemes, then sets of tokens; `end` behind an alternative's last one. */
export const end = -1;

/**
 * A grammar laid flat: alternatives one behind the other, each with an `end`. A position in it is a dotted rule of the
 * textbooks. Alternatives that no text matches are left out, so whatever the parser expects can come.
 */
export class RuleTable {
  readonly start: RuleId;
  /** By position. */
  readonly symbols: Int32Array;
  /** By rule: the positions where its alternatives begin. */
  readonly alternatives: readonly (readonly number[])[];
  /** By symbol: whether the empty text matches. */
  readonly nullable: Uint8Array;
  readonly tokenSets: readonly (readonly Token[])[];
  readonly #rules: number;
  readonly #lexemes: number;

  /** `lexemes`: what is known of each, by number. */
  constructor(grammar: Grammar, lexemes: readonly { readonly nullable: boolean; readonly alive: boolean }[]) {
    this.start = grammar.start;
    this.#rules = grammar.rules.length;
    this.#lexemes = lexemes.length;
    const tokenSets: (readonly Token[])[] = [];
    const number = (symbol: GrammarSymbol): number => {
      if (symbol.kind === 'rule') return symbol.rule;
      if (symbol.kind === 'lexeme') return this.#rules + symbol.lexeme;
      return this.#rules + this.#lexemes + tokenSets.push(symbol.tokens) - 1;
    };
    const rules = grammar.rules.map(rule => rule.alternatives.map(alternative => alternative.map(number)));
    this.tokenSets = tokenSets;

    const count = this.#rules + this.#lexemes + tokenSets.length;
    const alive = new Uint8Array(count);
    const nullable = new Uint8Array(count);
    lexemes.forEach((lexeme, index) => {
      alive[this.#rules + index] = Number(lexeme.alive);
      nullable[this.#rules + index] = Number(lexeme.nullable);
    });
    tokenSets.forEach((tokens, index) => {
      alive[this.#rules + this.#lexemes + index] = Number(tokens.length > 0);
    });
    spread(rules, alive);
    spread(rules, nullable);
    this.nullable = nullable;
    if (!alive[grammar.start]) {
      throw new RealmError('grammar_invalid', `nothing matches the rule '${grammar.rules[grammar.start].name}'`);
    }

    const symbols: number[] = [];
    this.alternatives = rules.map(alternatives =>
      alternatives
        .filter(alternative => alternative.every(symbol => alive[symbol]))
        .map(alternative => {
          const position = symbols.length;
          for (const symbol of alternative) symbols.push(symbol);
          symbols.push(end);
          return position;
        }),
    );
    this.symbols = Int32Array.from(symbols);
  }

  isRule(symbol: number): boolean {
    return symbol < this.#rules;
  }

  /** The lexeme's number, or one beyond the last lexeme for a set of tokens. */
  lexeme(symbol: number): number {
    return symbol - this.#rules;
  }

  tokenSet(symbol: number): readonly Token[] | undefined {
    const index = symbol - this.#rules - this.#lexemes;
    return index >= 0 ? this.tokenSets[index] : undefined;
  }
}

/** Marks the rules that have an alternative of nothing but marked symbols, until no more are found. */
function spread(rules: readonly (readonly (readonly number[])[])[], marked: Uint8Array): void {
  /** For each alternative how many symbols are not marked yet; for each symbol where it stands. */
  const open: { rule: number; left: number }[] = [];
  const uses = new Map<number, { rule: number; left: number }[]>();
  const todo: number[] = [];
  const mark = (rule: number): void => {
    if (marked[rule]) return;
    marked[rule] = 1;
    todo.push(rule);
  };
  rules.forEach((alternatives, rule) => {
    for (const alternative of alternatives) {
      const entry = { rule, left: 0 };
      open.push(entry);
      for (const symbol of alternative) {
        if (marked[symbol] && symbol >= rules.length) continue;
        entry.left++;
        const list = uses.get(symbol);
        if (list) list.push(entry);
        else uses.set(symbol, [entry]);
      }
    }
  });
  for (const entry of open) if (entry.left === 0) mark(entry.rule);
  while (todo.length > 0) {
    for (const entry of uses.get(todo.pop()!) ?? []) if (--entry.left === 0) mark(entry.rule);
  }
}
