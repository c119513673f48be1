import { lstrip, rstrip } from './whitespace.ts';

export type TokenType = 'text' | 'begin' | 'end' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'eof';

export interface Token {
  readonly type: TokenType;
  /** A string's text, a number's digits, a name, an operator; `{%` or `{{` for `begin`, `%}` or `}}` for `end`. */
  readonly value: string;
  readonly line: number;
}

const OPENING = /\{[{%#]/g;
const RAW = /\{%[-+]?\s*raw\s*(-?)%\}/y;
const END_RAW = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
const SPACE = /\s+/y;
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const INTEGER = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const NAME = /[\p{L}\p{N}\p{M}_]+/uy;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSERS: Record<string, string> = { ')': '(', ']': '[', '}': '{' };

/** The tokens of a template, with the settings that chat templates are written for: `trim_blocks`, `lstrip_blocks`. */
export function tokenize(template: string): Token[] {
  return new Lexer(template.replace(/\r\n?/g, '\n').replace(/\n$/, '')).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #counted = 0;
  /** Whether what was read last ended a line, so that spaces before the next tag may go. */
  #lineStarts = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#text();
    this.#push('eof', '');
    return this.#tokens;
  }

  #push(type: TokenType, value: string): void {
    for (; this.#counted < this.#at; this.#counted++) if (this.#source[this.#counted] === '\n') this.#line++;
    this.#tokens.push({ type, value, line: this.#line });
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#source);
  }

  /** Text up to the next tag, and that tag. */
  #text(): void {
    const opening = this.#match(OPENING);
    const end = opening?.index ?? this.#source.length;
    const text = this.#source.slice(this.#at, end);
    const sign = this.#source[end + 2] ?? '';
    this.#pushText(opening ? this.#before(text, sign, opening[0] !== '{{') : text);
    this.#at = end;
    if (!opening) return;
    const raw = this.#match(RAW);
    if (raw) return this.#raw(raw);
    this.#at += sign === '-' || sign === '+' ? 3 : 2;
    if (opening[0] === '{#') this.#comment();
    else this.#tag(opening[0], opening[0] === '{{' ? '}}' : '%}');
  }

  #pushText(text: string): void {
    if (text !== '') this.#push('text', text);
  }

  /** What is left of the text before a tag. */
  #before(text: string, sign: string, block: boolean): string {
    if (sign === '-') return rstrip(text);
    const lineStart = text.lastIndexOf('\n') + 1;
    if (sign === '+' || !block || (lineStart === 0 && !this.#lineStarts)) return text;
    return rstrip(text.slice(lineStart)) === '' ? text.slice(0, lineStart) : text;
  }

  /** Goes past the end of a tag and the white space that goes with it. */
  #closeTag(sign: string, length: number, trims: boolean): void {
    this.#at += length;
    if (sign === '-') {
      const rest = this.#match(/\s*/y)![0];
      this.#at += rest.length - lstrip(rest).length;
    } else if (trims && sign !== '+' && this.#source[this.#at] === '\n') this.#at++;
    this.#lineStarts = this.#source[this.#at - 1] === '\n';
  }

  #raw(begin: RegExpExecArray): void {
    this.#closeTag(begin[1] ?? '', begin[0].length, false);
    const end = this.#match(END_RAW);
    if (!end) throw this.#error('missing end of raw directive');
    this.#pushText(this.#before(this.#source.slice(this.#at, end.index), end[1] ?? '', true));
    this.#at = end.index;
    this.#closeTag(end[2] ?? '', end[0].length, true);
  }

  #comment(): void {
    const end = this.#source.indexOf('#}', this.#at);
    if (end < 0) throw this.#error('missing end of comment tag');
    const sign = end > this.#at ? this.#source.charAt(end - 1) : '';
    this.#at = end;
    this.#closeTag(sign, 2, true);
  }

  #tag(begin: string, end: string): void {
    this.#push('begin', begin);
    const open: string[] = [];
    for (;;) {
      this.#at += this.#match(SPACE)?.[0].length ?? 0;
      if (this.#at >= this.#source.length) throw this.#error(`the tag is not closed: ${end} is missing`);
      const character = this.#source.charAt(this.#at);
      const sign = character === '-' || character === '+' ? character : '';
      if (open.length === 0 && this.#source.startsWith(end, this.#at + sign.length) && (sign !== '+' || end === '%}')) {
        this.#push('end', end);
        return this.#closeTag(sign, end.length + sign.length, end === '%}');
      }
      this.#token(open);
    }
  }

  #token(open: string[]): void {
    const afterDot = this.#source[this.#at - 1] === '.';
    const found =
      (!afterDot && this.#take('float', FLOAT)) ||
      this.#take('integer', INTEGER) ||
      this.#take('name', NAME) ||
      this.#take('string', STRING) ||
      this.#take('operator', OPERATOR);
    if (!found) throw this.#error(`unexpected '${String.fromCodePoint(this.#source.codePointAt(this.#at)!)}'`);
    if (/^[([{]$/.test(found)) open.push(found);
    else if (CLOSERS[found] && open.pop() !== CLOSERS[found]) throw this.#error(`unexpected '${found}'`);
  }

  #take(type: TokenType, pattern: RegExp): string | undefined {
    const found = this.#match(pattern)?.[0];
    if (found === undefined) return undefined;
    const number = type === 'integer' || type === 'float';
    this.#push(type, type === 'string' ? unescaped(found.slice(1, -1)) : number ? found.replaceAll('_', '') : found);
    this.#at += found.length;
    return type === 'operator' ? found : ' ';
  }

  #error(message: string): Error {
    this.#push('eof', '');
    return new SyntaxError(`line ${this.#line}: ${message}`);
  }
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  "'": "'",
  '"': '"',
  '\\': '\\',
  '\n': '',
};
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;

/** A string literal's text; as in Python, an escape that means nothing stays as it is. */
function unescaped(literal: string): string {
  return literal.replace(ESCAPE, (whole, x?: string, u?: string, long?: string, octal?: string, one?: string) => {
    const hex = x ?? u ?? long;
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    if (/[xuUN]/.test(one!)) throw new SyntaxError(`truncated escape \\${one}`);
    return ESCAPES[one!] ?? whole;
  });
}
