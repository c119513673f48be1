import { RealmError } from '../../errors.ts';
import { failLark, type LarkToken, larkTokens, type TokenKind } from './tokens.ts';

/** What stands on the right of a rule or terminal; `at`: where it begins. */
export type Expression =
  | { readonly kind: 'or' | 'concat' | 'and'; readonly parts: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly part: Expression; readonly min: number; readonly max: number | undefined }
  | { readonly kind: 'not'; readonly part: Expression }
  | { readonly kind: 'string'; readonly text: string; readonly ignoreCase: boolean }
  | { readonly kind: 'range'; readonly from: string; readonly to: string }
  | { readonly kind: 'regex'; readonly source: string; readonly flags: string; readonly at: number }
  | { readonly kind: 'rule' | 'terminal' | 'special'; readonly name: string; readonly at: number }
  | { readonly kind: 'json'; readonly schema: unknown; readonly at: number };

export interface Definition {
  readonly name: string;
  readonly at: number;
  readonly expression: Expression;
  /** The shortest text that matches and no longer one; what ends it stands behind it. */
  readonly lazy: boolean;
  readonly suffix?: Expression | undefined;
}

export interface LarkSyntax {
  readonly rules: ReadonlyMap<string, Definition>;
  readonly terminals: ReadonlyMap<string, Definition>;
  readonly ignored: readonly Expression[];
  /** Names of `%import common.NAME`, by the name here. */
  readonly imports: ReadonlyMap<string, { readonly name: string; readonly at: number }>;
}

const maxDepth = 200;
const maxCount = 1 << 24;
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', b: '\b' };

/** Reads Lark as llguidance has it. What is not supported is refused by name. */
export function parseLark(source: string): LarkSyntax {
  return new LarkParser(source).parse();
}

class LarkParser {
  readonly #source: string;
  readonly #tokens: readonly LarkToken[];
  readonly #rules = new Map<string, Definition>();
  readonly #terminals = new Map<string, Definition>();
  readonly #ignored: Expression[] = [];
  readonly #imports = new Map<string, { name: string; at: number }>();
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = larkTokens(source);
  }

  parse(): LarkSyntax {
    while (this.#take('newline') || this.#token.kind !== 'end') {
      const { kind } = this.#token;
      if (kind === 'rule' || kind === 'terminal') this.#definition();
      else if (kind === 'directive') this.#statement();
      else if (kind !== 'end' && kind !== 'newline') this.#fail('a rule, a terminal or a % statement begins a line');
    }
    return { rules: this.#rules, terminals: this.#terminals, ignored: this.#ignored, imports: this.#imports };
  }

  get #token(): LarkToken {
    return this.#tokens[this.#next]!;
  }

  #fail(reason: string, at = this.#token.at): never {
    return failLark(this.#source, at, reason);
  }

  #take(kind: TokenKind, text?: string): LarkToken | undefined {
    const token = this.#token;
    if (token.kind !== kind || (text !== undefined && token.text !== text)) return undefined;
    this.#next++;
    return token;
  }

  #expect(kind: TokenKind, text?: string): LarkToken {
    return this.#take(kind, text) ?? this.#fail(`${text ?? `a ${kind}`} is missing`);
  }

  #definition(): void {
    const { kind, text, at } = this.#token;
    this.#next++;
    const name = text.replace(/^[!?]+/, '');
    const into = kind === 'rule' ? this.#rules : this.#terminals;
    if (into.has(name)) this.#fail(`${name} is defined twice`, at);
    if (this.#take('punctuation', '.')) this.#fail('priorities are not supported', at);
    if (this.#take('punctuation', '{')) this.#fail('templates are not supported', at);
    if (this.#take('punctuation', '::')) this.#fail('parameters are not supported', at);
    const options = this.#take('punctuation', '[') ? this.#options() : { lazy: false };
    this.#expect('punctuation', ':');
    into.set(name, { name, at, ...options, expression: this.#alternatives() });
    if (this.#token.kind !== 'end') this.#expect('newline');
  }

  /** `[lazy, suffix="x", capture]`. */
  #options(): Pick<Definition, 'lazy' | 'suffix'> {
    let lazy = false;
    let suffix: Expression | undefined;
    do {
      const { text, at } = this.#expect('rule');
      if (!['lazy', 'suffix', 'capture'].includes(text)) this.#fail(`the option ${text} is not supported`, at);
      // What is captured changes no text.
      if (text === 'capture' && this.#take('punctuation', '=')) this.#expect('string');
      if (text === 'suffix') {
        this.#expect('punctuation', '=');
        suffix = this.#atom();
      }
      lazy ||= text !== 'capture';
    } while (this.#take('punctuation', ','));
    this.#expect('punctuation', ']');
    return { lazy, suffix };
  }

  #statement(): void {
    const { text, at, json } = this.#expect('directive');
    if (text === '%ignore') this.#ignored.push(this.#alternatives());
    else if (text === '%import') this.#import(at);
    else if (text === '%llguidance') {
      for (const option of Object.keys(json as object))
        if (option !== 'no_forcing') this.#fail(`the option ${option} is not supported`, at);
    } else this.#fail(`${text} is not supported`, at);
  }

  #import(at: number): void {
    if (this.#expect('rule').text !== 'common') this.#fail('only common can be imported from', at);
    const take = (): void => {
      const { text, at: place } = this.#expect('terminal');
      const alias = this.#take('punctuation', '->') ? this.#expect('terminal').text : text;
      this.#imports.set(alias, { name: text, at: place });
    };
    if (this.#take('punctuation', '.')) return take();
    this.#expect('punctuation', '(');
    do take();
    while (this.#take('punctuation', ','));
    this.#expect('punctuation', ')');
  }

  #alternatives(): Expression {
    if (++this.#depth > maxDepth)
      throw new RealmError('grammar_limit', `the grammar nests more than ${maxDepth} parentheses`);
    const parts = [this.#sequence()];
    while (this.#bar()) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  /** A `|` may begin the next line. */
  #bar(): boolean {
    const [token, next] = [this.#token, this.#tokens[this.#next + 1]];
    if (token.kind === 'newline' && next?.kind === 'punctuation' && next.text === '|') this.#next++;
    return this.#take('punctuation', '|') !== undefined;
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#beginsAtom()) parts.push(this.#conjunction());
    if (this.#take('punctuation', '->')) this.#expect('rule');
    return parts.length === 1 ? parts[0]! : { kind: 'concat', parts };
  }

  #beginsAtom(): boolean {
    const { kind, text } = this.#token;
    if (kind === 'punctuation') return ['(', '[', '~', '@'].includes(text);
    if (kind === 'newline' && this.#depth > 1) {
      this.#next++;
      return this.#beginsAtom();
    }
    return kind !== 'newline' && kind !== 'end';
  }

  #conjunction(): Expression {
    const parts = [this.#item()];
    while (this.#take('punctuation', '&')) parts.push(this.#item());
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts };
  }

  #item(): Expression {
    let part = this.#take('punctuation', '~') ? ({ kind: 'not', part: this.#atom() } as Expression) : this.#atom();
    for (let counts = this.#counts(); counts; counts = this.#counts())
      part = { kind: 'repeat', part, min: counts[0], max: counts[1] };
    return part;
  }

  #counts(): [min: number, max: number | undefined] | undefined {
    if (this.#take('punctuation', '*')) return [0, undefined];
    if (this.#take('punctuation', '+')) return [1, undefined];
    if (this.#take('punctuation', '?')) return [0, 1];
    if (this.#take('punctuation', '~')) {
      const min = this.#count();
      return [min, this.#checked(min, this.#take('punctuation', '..') ? this.#count() : min)];
    }
    if (!this.#take('punctuation', '{')) return undefined;
    const min = this.#token.kind === 'number' ? this.#count() : 0;
    const comma = this.#take('punctuation', ',');
    const max = this.#token.kind === 'number' ? this.#count() : comma ? undefined : min;
    this.#expect('punctuation', '}');
    return [min, this.#checked(min, max)];
  }

  #count(): number {
    const count = Number(this.#expect('number').text);
    if (count < 0) this.#fail('a count is below zero');
    if (count > maxCount) throw new RealmError('grammar_limit', `a repetition counts beyond ${maxCount}`);
    return count;
  }

  #checked(min: number, max: number | undefined): number | undefined {
    if (max !== undefined && max < min) this.#fail('the counts of a repetition are in the wrong order');
    return max;
  }

  #atom(): Expression {
    const { kind, text, at, json } = this.#token;
    this.#next++;
    switch (kind) {
      case 'rule':
      case 'terminal':
      case 'special':
        return { kind, name: kind === 'special' ? text.slice(1, -1) : text, at };
      case 'string':
        return this.#string(text, at);
      case 'regex': {
        const end = text.lastIndexOf('/');
        return { kind, source: text.slice(1, end), flags: text.slice(end + 1), at };
      }
      case 'directive':
        if (text !== '%json') this.#fail(`${text} is not supported here`, at);
        return { kind: 'json', schema: json, at };
      case 'punctuation':
        if (text === '(' || text === '[') return this.#group(text, at);
        if (text === '@') this.#fail('other grammars cannot be named', at);
        return this.#fail('this is no part of a rule', at);
      default:
        return this.#fail('this is no part of a rule', at);
    }
  }

  #group(open: string, at: number): Expression {
    const part = this.#alternatives();
    this.#take('newline');
    if (!this.#take('punctuation', open === '(' ? ')' : ']')) this.#fail(`a "${open}" is never closed`, at);
    return open === '(' ? part : { kind: 'repeat', part, min: 0, max: 1 };
  }

  #string(token: string, at: number): Expression {
    const text = this.#text(token, at);
    if (!this.#take('punctuation', '..')) return { kind: 'string', text, ignoreCase: token.endsWith('i') };
    const to = this.#text(this.#expect('string').text, at);
    if ([...text].length !== 1 || [...to].length !== 1 || text.codePointAt(0)! > to.codePointAt(0)!)
      this.#fail('a range goes from one character to a later one', at);
    return { kind: 'range', from: text, to };
  }

  #text(token: string, at: number): string {
    const inner = token.slice(1, token.lastIndexOf('"'));
    const escaped = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu;
    return inner.replace(escaped, (_, x?: string, u?: string, long?: string, letter?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) {
        const point = Number.parseInt(hex, 16);
        return point > 0x10ffff ? this.#fail('this is no character', at) : String.fromCodePoint(point);
      }
      const known = escapes[letter!];
      if (known === undefined && /[a-zA-Z0-9]/.test(letter!)) this.#fail(`the escape \\${letter} is not known`, at);
      return known ?? letter!;
    });
  }
}
