import type { GrammarSymbol } from './grammar.ts';
import type { GrammarBuilder } from './grammar-builder.ts';

/** Counted repetition of symbols in few rules: a count is halved, so a row of the parser has a logarithm of items. */
export class Repeats {
  readonly #builder: GrammarBuilder;
  readonly #known = new Map<string, GrammarSymbol>();

  constructor(builder: GrammarBuilder) {
    this.#builder = builder;
  }

  between(symbols: readonly GrammarSymbol[], min: number, max: number): GrammarSymbol {
    const key = JSON.stringify(symbols);
    if (max === min) return this.#exactly(symbols, key, min);
    const rest = max === Number.POSITIVE_INFINITY ? this.#any(symbols, key) : this.#atMost(symbols, key, max - min);
    return min === 0 ? rest : this.#rule(`${key}{${min},${max}`, () => [[this.#exactly(symbols, key, min), rest]]);
  }

  #rule(key: string, alternatives: () => readonly (readonly GrammarSymbol[])[]): GrammarSymbol {
    let symbol = this.#known.get(key);
    if (!symbol) {
      symbol = this.#builder.rule('repeat', alternatives());
      this.#known.set(key, symbol);
    }
    return symbol;
  }

  #any(symbols: readonly GrammarSymbol[], key: string): GrammarSymbol {
    const known = this.#known.get(`${key}*`);
    if (known) return known;
    const rule = this.#builder.declare('repeat');
    const self = this.#builder.use(rule);
    this.#builder.define(rule, [[], [self, ...symbols]]);
    this.#known.set(`${key}*`, self);
    return self;
  }

  #exactly(symbols: readonly GrammarSymbol[], key: string, count: number): GrammarSymbol {
    return this.#rule(`${key}=${count}`, () => {
      if (count === 0) return [[]];
      if (count === 1) return [symbols];
      const half = count >> 1;
      return [[this.#exactly(symbols, key, half), this.#exactly(symbols, key, count - half)]];
    });
  }

  /** Either the first half is full and the second follows, or not even the first is. */
  #atMost(symbols: readonly GrammarSymbol[], key: string, count: number): GrammarSymbol {
    return this.#rule(`${key}<${count}`, () => {
      if (count === 0) return [[]];
      if (count === 1) return [[], symbols];
      const half = (count + 1) >> 1;
      return [
        [this.#exactly(symbols, key, half), this.#atMost(symbols, key, count - half)],
        [this.#atMost(symbols, key, half - 1)],
      ];
    });
  }
}
