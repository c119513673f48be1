import { RealmError } from '../errors.ts';
import type { Grammar, RuleId } from './grammar.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { type Piece, Pieces } from './pieces.ts';
import { productive } from './productive.ts';
import type { RegexId } from './regex.ts';

const maxLength = 512 * 1024;
const maxDepth = 200;

/** Reads llama.cpp's GBNF; the rule `root` is what an answer must be. */
export function gbnfGrammar(source: string, builder = new GrammarBuilder()): Grammar {
  if (source.length > maxLength) throw new RealmError('grammar_limit', 'the grammar is longer than 512 KB');
  return new GbnfParser(source, builder).parse();
}

class GbnfParser {
  readonly #source: string;
  readonly #builder: GrammarBuilder;
  readonly #pieces: Pieces;
  readonly #rules = new Map<string, RuleId>();
  readonly #defined = new Set<string>();
  #at = 0;
  #depth = 0;

  constructor(source: string, builder: GrammarBuilder) {
    this.#source = source;
    this.#builder = builder;
    this.#pieces = new Pieces(builder);
  }

  parse(): Grammar {
    this.#space(true);
    while (this.#at < this.#source.length) this.#rule();
    if (!this.#defined.has('root')) this.#fail('it has no rule named root');
    for (const name of this.#rules.keys())
      if (!this.#defined.has(name)) this.#fail(`the rule ${name} is used but not defined`);
    return productive(this.#builder.build(this.#named('root')));
  }

  #fail(reason: string, at = this.#at): never {
    const before = this.#source.slice(0, at).split('\n');
    const place = `line ${before.length}, character ${before.at(-1)!.length + 1}`;
    throw new RealmError('grammar_invalid', `the grammar cannot be read: ${reason}, at ${place}`);
  }

  #named(name: string): RuleId {
    let rule = this.#rules.get(name);
    if (rule === undefined) {
      rule = this.#builder.declare(name);
      this.#rules.set(name, rule);
    }
    return rule;
  }

  /** White space and comments; the end of a line ends a rule, but inside parentheses. */
  #space(lines: boolean): void {
    const pattern = lines ? /(?:[ \t\r\n]|#[^\n]*)*/y : /(?:[ \t]|#[^\n]*)*/y;
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#source)![0].length;
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)?.[0];
    this.#at += text?.length ?? 0;
    return text;
  }

  #rule(): void {
    const at = this.#at;
    const name = this.#match(/[a-zA-Z0-9_-]+/y);
    if (!name) this.#fail('the name of a rule is missing');
    this.#space(false);
    if (!this.#eat('::=')) this.#fail('"::=" is missing');
    if (this.#defined.has(name)) this.#fail(`the rule ${name} is defined twice`, at);
    this.#defined.add(name);
    this.#space(true);
    const piece = this.#alternatives(false);
    this.#builder.define(this.#named(name), [this.#pieces.symbols(piece)]);
    if (this.#at < this.#source.length && !/[\r\n]/.test(this.#source[this.#at]!))
      this.#fail('this does not belong into a rule');
    this.#space(true);
  }

  #alternatives(nested: boolean): Piece {
    if (++this.#depth > maxDepth)
      throw new RealmError('grammar_limit', `the grammar nests more than ${maxDepth} parentheses`);
    const pieces = [this.#sequence(nested)];
    while (this.#eat('|')) {
      this.#space(true);
      pieces.push(this.#sequence(nested));
    }
    this.#depth--;
    return this.#pieces.or(pieces);
  }

  #sequence(nested: boolean): Piece {
    const pieces: Piece[] = [];
    for (let piece = this.#item(nested); piece; piece = this.#item(nested)) pieces.push(piece);
    return this.#pieces.concat(pieces);
  }

  #item(nested: boolean): Piece | undefined {
    const piece = this.#atom();
    if (!piece) return undefined;
    const counted = this.#counted(piece);
    this.#space(nested);
    return counted;
  }

  #atom(): Piece | undefined {
    const at = this.#at;
    const { regexes } = this.#builder;
    if (this.#eat('"')) return { regex: regexes.literal(this.#literal(at)) };
    if (this.#eat('[')) return { regex: this.#class(at) };
    if (this.#eat('.')) return { regex: regexes.notChars([]) };
    if (this.#eat('(')) {
      this.#space(true);
      const piece = this.#alternatives(true);
      if (!this.#eat(')')) this.#fail('a "(" is never closed', at);
      return piece;
    }
    const name = this.#match(/[a-zA-Z0-9_-]+/y);
    return name ? { symbols: [this.#builder.use(this.#named(name))] } : undefined;
  }

  #counted(piece: Piece): Piece {
    let counted = piece;
    for (;;) {
      const text = this.#match(/[*+?]|\{\d*,?\d*\}/y);
      if (!text) return counted;
      counted = this.#repeat(counted, text);
    }
  }

  #repeat(piece: Piece, text: string): Piece {
    const counts = /^\{(\d*)(,?)(\d*)\}$/.exec(text);
    const min = counts ? Number(counts[1]) : text === '+' ? 1 : 0;
    const max = counts ? (counts[3] ? Number(counts[3]) : counts[2] ? undefined : min) : text === '?' ? 1 : undefined;
    if (text === '{}' || text === '{,}' || (max ?? min) < min) this.#fail('the counts of a repetition are wrong');
    if (Math.max(min, max ?? 0) > 1 << 24) throw new RealmError('grammar_limit', 'a repetition counts too far');
    return this.#pieces.repeat(piece, min, max);
  }

  #literal(at: number): string {
    let text = '';
    while (!this.#eat('"')) text += String.fromCodePoint(this.#char(at));
    return text;
  }

  #class(at: number): RegexId {
    const negated = this.#eat('^');
    const ranges: [number, number][] = [];
    while (!this.#eat(']')) {
      const from = this.#char(at);
      const isRange = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      ranges.push([from, isRange ? this.#char(at) : from]);
    }
    return negated ? this.#builder.regexes.notChars(ranges) : this.#builder.regexes.chars(ranges);
  }

  #char(opened: number): number {
    if (this.#at >= this.#source.length) this.#fail('this is never closed', opened);
    if (this.#eat('\\')) return this.#escape();
    const point = this.#source.codePointAt(this.#at)!;
    this.#at += point > 0xffff ? 2 : 1;
    return point;
  }

  #escape(): number {
    const at = this.#at - 1;
    const letter = this.#source[this.#at++] ?? '';
    const digits = { x: 2, u: 4, U: 8 }[letter];
    if (digits) {
      const hex = this.#source.slice(this.#at, this.#at + digits);
      const point = Number.parseInt(hex, 16);
      if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length < digits || point > 0x10ffff)
        this.#fail('an escape lacks its digits', at);
      this.#at += digits;
      return point;
    }
    const control = { n: 10, r: 13, t: 9 }[letter];
    if (control !== undefined) return control;
    if (letter === '' || /[a-zA-Z0-9]/.test(letter)) this.#fail(`the escape \\${letter} is not known`, at);
    return letter.codePointAt(0)!;
  }
}
