import type { GrammarSymbol } from './grammar.ts';
import type { GrammarBuilder } from './grammar-builder.ts';
import type { RegexId } from './regex.ts';
import { Repeats } from './repeats.ts';
import { textSymbols } from './text-symbols.ts';

/** A piece of a rule: a regular expression as long as no rule is named in it, symbols otherwise. */
export type Piece = { readonly regex: RegexId } | { readonly symbols: readonly GrammarSymbol[] };

/** Puts pieces of rules together, as far as it goes within one lexeme. */
export class Pieces {
  readonly #builder: GrammarBuilder;
  readonly #repeats: Repeats;
  readonly #ignored: RegexId | undefined;

  /** `ignored`: what may stand before every lexeme; then each text is a lexeme of its own. It matches the empty text. */
  constructor(builder: GrammarBuilder, ignored?: RegexId) {
    this.#builder = builder;
    this.#repeats = new Repeats(builder);
    this.#ignored = ignored;
  }

  or(pieces: readonly Piece[]): Piece {
    if (pieces.length === 1) return pieces[0]!;
    const regexes = pieces.flatMap(piece => ('regex' in piece ? [piece.regex] : []));
    if (regexes.length === pieces.length) return { regex: this.#builder.regexes.or(regexes) };
    const alternatives = pieces.flatMap(piece => ('symbols' in piece ? [piece.symbols] : []));
    if (regexes.length > 0) alternatives.push(this.symbols({ regex: this.#builder.regexes.or(regexes) }));
    return { symbols: [this.#builder.rule('alternatives', alternatives)] };
  }

  concat(pieces: readonly Piece[]): Piece {
    const joined: Piece[] = [];
    for (const piece of pieces) {
      const last = joined.at(-1);
      if (last && 'regex' in last && 'regex' in piece && this.#ignored === undefined)
        joined[joined.length - 1] = { regex: this.#builder.regexes.concat([last.regex, piece.regex]) };
      else joined.push(piece);
    }
    if (joined.length === 0) return { regex: this.#builder.regexes.empty };
    return joined.length === 1 ? joined[0]! : { symbols: joined.flatMap(piece => this.symbols(piece)) };
  }

  repeat(piece: Piece, min: number, max = Number.POSITIVE_INFINITY): Piece {
    if ('regex' in piece && this.#ignored === undefined)
      return { regex: this.#builder.regexes.repeat(piece.regex, min, max) };
    return { symbols: [this.#repeats.between(this.symbols(piece), min, max)] };
  }

  symbols(piece: Piece): readonly GrammarSymbol[] {
    if ('symbols' in piece) return piece.symbols;
    const { regexes } = this.#builder;
    if (this.#ignored === undefined || piece.regex === regexes.empty)
      return textSymbols('text', piece.regex, this.#builder);
    return textSymbols('text', regexes.concat([this.#ignored, piece.regex]), this.#builder);
  }
}
