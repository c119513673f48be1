import type { GrammarSymbol } from '../constrain/grammar.ts';
import type { GrammarBuilder } from '../constrain/grammar-builder.ts';
import type { RegexId } from '../constrain/regex.ts';
import { textSymbols } from '../constrain/text-symbols.ts';
import { type ControlTokens, cutAtControl } from './control-tokens.ts';

/** Symbols one behind the other; neighbouring texts become one lexeme, control tokens in them are named by number. */
export class Sequence {
  readonly #builder: GrammarBuilder;
  readonly #control: ControlTokens;
  readonly #symbols: GrammarSymbol[] = [];
  #regexes: RegexId[] = [];

  constructor(builder: GrammarBuilder, control: ControlTokens) {
    this.#builder = builder;
    this.#control = control;
  }

  /** An empty one of the same kind. */
  another(): Sequence {
    return new Sequence(this.#builder, this.#control);
  }

  get symbols(): readonly GrammarSymbol[] {
    this.#flush();
    return this.#symbols;
  }

  literal(text: string): this {
    for (const part of cutAtControl(text, this.#control)) {
      if (typeof part === 'string') this.regex(this.#builder.regexes.literal(part));
      else this.symbol({ kind: 'tokens', tokens: [part] });
    }
    return this;
  }

  regex(regex: RegexId): this {
    this.#regexes.push(regex);
    return this;
  }

  symbol(...symbols: readonly GrammarSymbol[]): this {
    this.#flush();
    this.#symbols.push(...symbols);
    return this;
  }

  #flush(): void {
    if (this.#regexes.length === 0) return;
    const regex = this.#builder.regexes.concat(this.#regexes);
    this.#regexes = [];
    this.#symbols.push(...textSymbols('text', regex, this.#builder));
  }
}
