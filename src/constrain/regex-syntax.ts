import { RealmError } from '../errors.ts';
import { classes, fold, propertyRanges } from './char-classes.ts';
import type { Ranges } from './regex.ts';

/** What the text of a regular expression says, before anything is known of the alphabet it is matched over. */
export type Pattern =
  | { readonly kind: 'chars'; readonly ranges: Ranges; readonly negated: boolean }
  | { readonly kind: 'concat'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'or'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly min: number; readonly max: number | undefined }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  /** `(?=…)` and `(?!…)`. */
  | { readonly kind: 'lookahead'; readonly part: Pattern; readonly negated: boolean; readonly at: number };

/** Groups deeper than this are no one's pattern; the parser calls itself for each. */
const maxDepth = 200;

/** A count above this is a mistake: no answer is that long. */
const maxCount = 1 << 24;

const metacharacters = new Set('\\^$.*+?()[|');

/** Reads ECMA-262 syntax (mode `v` aside) with the named groups, `\A` and `\Z` of Python. */
export function parsePattern(source: string): Pattern {
  return new PatternParser(source).parse();
}

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;
  #ignoreCase = false;
  #dotAll = false;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Pattern {
    const pattern = this.#alternatives();
    if (this.#at < this.#source.length) this.#fail('a ")" has no "("');
    return pattern;
  }

  #fail(reason: string, at = this.#at): never {
    throw new RealmError('grammar_invalid', `the regular expression cannot be used: ${reason}, at character ${at + 1}`);
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** The next whole character. */
  #take(): number {
    const point = this.#source.codePointAt(this.#at);
    if (point === undefined) this.#fail('it ends too early');
    this.#at += point > 0xffff ? 2 : 1;
    return point;
  }

  #alternatives(): Pattern {
    const flags = [this.#ignoreCase, this.#dotAll] as const;
    if (++this.#depth > maxDepth)
      throw new RealmError('grammar_limit', `the regular expression nests more than ${maxDepth} groups`);
    const parts = [this.#sequence()];
    while (this.#eat('|')) parts.push(this.#sequence());
    this.#depth--;
    [this.#ignoreCase, this.#dotAll] = flags;
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const atom = this.#atom();
      if (atom) parts.push(this.#quantified(atom));
    }
    return parts.length === 1 ? parts[0]! : { kind: 'concat', parts };
  }

  #quantified(atom: Pattern): Pattern {
    let pattern = atom;
    for (let counts = this.#counts(); counts; counts = this.#counts()) {
      if (pattern.kind === 'start' || pattern.kind === 'end') this.#fail('an anchor cannot be repeated');
      pattern = { kind: 'repeat', part: pattern, min: counts[0], max: counts[1] };
      if (!this.#eat('?')) this.#eat('+'); // Lazy and possessive match the same texts, but for what possessive ones refuse.
    }
    return pattern;
  }

  #counts(): [min: number, max: number | undefined] | undefined {
    if (this.#eat('*')) return [0, undefined];
    if (this.#eat('+')) return [1, undefined];
    if (this.#eat('?')) return [0, 1];
    const match = /^\{(\d*)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 40));
    if (!match || match[0] === '{}' || match[0] === '{,}') return undefined;
    const at = this.#at;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[3] ? Number(match[3]) : match[2] ? undefined : min;
    if (max !== undefined && max < min) this.#fail('the counts of a repetition are in the wrong order', at);
    if (Math.max(min, max ?? 0) > maxCount)
      throw new RealmError('grammar_limit', `a repetition counts beyond ${maxCount}`);
    return [min, max];
  }

  #atom(): Pattern | undefined {
    const at = this.#at;
    if (this.#eat('(')) return this.#group(at);
    if (this.#eat('[')) return this.#class();
    if (this.#eat('.')) return this.#dotAll ? chars([], true) : chars(classes.newline, true);
    if (this.#eat('^')) return { kind: 'start' };
    if (this.#eat('$')) return { kind: 'end' };
    if (this.#eat('\\')) return this.#escape(at);
    if ('*+?'.includes(this.#source[at]!)) this.#fail('there is nothing to repeat');
    return this.#char(this.#take());
  }

  #char(point: number): Pattern {
    const ranges: Ranges = [[point, point]];
    return chars(this.#ignoreCase ? fold(ranges) : ranges);
  }

  #group(at: number): Pattern | undefined {
    if (this.#eat('?<=') || this.#eat('?<!')) this.#fail('look-behind is not supported', at);
    if (this.#eat('?>')) this.#fail('atomic groups are not supported', at);
    const lookahead = this.#eat('?=') ? false : this.#eat('?!') ? true : undefined;
    if (lookahead !== undefined) return { kind: 'lookahead', part: this.#closed(at), negated: lookahead, at };
    const flags = /^\?([a-z]*)(-[a-z]+)?([:)])/.exec(this.#source.slice(this.#at, this.#at + 20));
    if (flags) return this.#flagged(flags, at);
    const name = /^\?P?<[^<>]*>/.exec(this.#source.slice(this.#at, this.#at + 200));
    if (name) this.#at += name[0].length;
    else if (this.#eat('?')) this.#fail('this kind of group is not supported', at);
    return this.#closed(at);
  }

  /** `(?:…)`, `(?i:…)`, and `(?i)` for the rest of the group that it stands in. */
  #flagged(match: RegExpExecArray, at: number): Pattern | undefined {
    const [all, on, off, end] = match;
    for (const flag of on! + (off ?? '').slice(1))
      if (!'is'.includes(flag)) this.#fail(`the flag ${flag} is not supported`, at);
    const before = [this.#ignoreCase, this.#dotAll] as const;
    this.#at += all.length;
    this.#ignoreCase = (this.#ignoreCase || on!.includes('i')) && !off?.includes('i');
    this.#dotAll = (this.#dotAll || on!.includes('s')) && !off?.includes('s');
    if (end === ')') return undefined;
    const pattern = this.#closed(at);
    [this.#ignoreCase, this.#dotAll] = before;
    return pattern;
  }

  #closed(at: number): Pattern {
    const pattern = this.#alternatives();
    if (!this.#eat(')')) this.#fail('a "(" is never closed', at);
    return pattern;
  }

  #escape(at: number): Pattern {
    if (this.#eat('A')) return { kind: 'start' };
    if (this.#eat('Z') || this.#eat('z')) return { kind: 'end' };
    const letter = this.#source[this.#at];
    if (letter === 'b' || letter === 'B') this.#fail('word boundaries are not supported', at);
    if (letter !== undefined && /[1-9k]/.test(letter)) this.#fail('back-references are not supported', at);
    const ranges = this.#escapedClass();
    return ranges ? chars(ranges) : this.#char(this.#escapedChar(at));
  }

  /** `\d`, `\P{L}` and their like; undefined where one character is escaped. */
  #escapedClass(): Ranges | undefined {
    const letter = this.#source[this.#at];
    const known = letter === undefined ? undefined : classes.escapes[letter];
    if (known) this.#at++;
    if (known || (letter !== 'p' && letter !== 'P')) return known;
    const name = /^[pP]\{([\w=]+)\}/.exec(this.#source.slice(this.#at, this.#at + 60));
    const ranges = name ? propertyRanges(name[1]!, letter === 'P') : undefined;
    if (!ranges) this.#fail('this property of characters is not known');
    this.#at += name![0].length;
    return ranges;
  }

  #escapedChar(at: number): number {
    const point = this.#take();
    const letter = String.fromCodePoint(point);
    if (letter in controls) return controls[letter]!;
    if (letter === 'x') return this.#hex(/^[0-9a-fA-F]{2}/, at);
    if (letter === 'u') return this.#unicode(at);
    if (letter === 'c' && /^[a-zA-Z]/.test(this.#source.slice(this.#at))) return this.#take() % 32;
    if (letter === '0' && !/^\d/.test(this.#source.slice(this.#at))) return 0;
    if (/[a-zA-Z0-9]/.test(letter)) this.#fail(`the escape \\${letter} is not known`, at);
    return point;
  }

  #unicode(at: number): number {
    if (this.#eat('{')) {
      const point = this.#hex(/^[0-9a-fA-F]{1,6}/, at);
      if (!this.#eat('}') || point > 0x10ffff) this.#fail('this is no character', at);
      return point;
    }
    const high = this.#hex(/^[0-9a-fA-F]{4}/, at);
    const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.#source.slice(this.#at, this.#at + 6));
    if (high < 0xd800 || high > 0xdbff || !low) return high;
    this.#at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (Number.parseInt(low[1]!, 16) - 0xdc00);
  }

  #hex(digits: RegExp, at: number): number {
    const match = digits.exec(this.#source.slice(this.#at, this.#at + 6));
    if (!match) this.#fail('an escape lacks its digits', at);
    this.#at += match[0].length;
    return Number.parseInt(match[0], 16);
  }

  #class(): Pattern {
    const at = this.#at - 1;
    const negated = this.#eat('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#eat(']')) {
      if (this.#at >= this.#source.length) this.#fail('a "[" is never closed', at);
      ranges.push(...this.#classRange());
    }
    return chars(this.#ignoreCase ? fold(ranges) : ranges, negated);
  }

  #classRange(): Ranges {
    const from = this.#classAtom();
    if (typeof from !== 'number' || this.#source[this.#at] !== '-' || this.#source[this.#at + 1] === ']') {
      return typeof from === 'number' ? [[from, from]] : from;
    }
    const at = this.#at++;
    const to = this.#classAtom();
    if (typeof to !== 'number') return [[from, from], [0x2d, 0x2d], ...to];
    if (to < from) this.#fail('a range of characters is in the wrong order', at);
    return [[from, to]];
  }

  #classAtom(): number | Ranges {
    const at = this.#at;
    if (!this.#eat('\\')) return this.#take();
    if (this.#eat('b')) return 8;
    return this.#escapedClass() ?? this.#escapedChar(at);
  }
}

const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 };

function chars(ranges: Ranges, negated = false): Pattern {
  return { kind: 'chars', ranges, negated };
}

/** Text that a regular expression matches literally. */
export function escapePattern(text: string): string {
  return [...text].map(char => (metacharacters.has(char) || '{}])'.includes(char) ? `\\${char}` : char)).join('');
}
