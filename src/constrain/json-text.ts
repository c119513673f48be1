import { intersectRanges } from './char-classes.ts';
import type { Ranges, Regexes, RegexId } from './regex.ts';
import type { Alphabet } from './regex-compile.ts';
import type { RegexStore } from './regexes.ts';
import { normaliseRanges } from './utf8.ts';

/** White space in a gap between two pieces of JSON: endless white space is how small models hang. */
const maxGap = 20;
/** Blanks behind a line break: what is nested deep is indented far. */
const maxIndent = 64;

/** Digits before the point: as many as 64 bits hold. */
const maxDigits = 20;
/** Digits behind the point: as many as the shortest text of a double may have. */
const maxFraction = 17;

const shortEscapes: Readonly<Record<number, string>> = {
  8: 'b',
  9: 't',
  10: 'n',
  12: 'f',
  13: 'r',
  34: '"',
  47: '/',
  92: '\\',
};

/** What may stand in a string as itself: no quote, no backslash, no control character. */
const rawChars: Ranges = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0xd7ff],
  [0xe000, 0x10ffff],
];

const known = new WeakMap<RegexStore, JsonText>();

/**
 * The inside of JSON strings, one character in all the ways in which it can be written: as itself, as a short escape, as
 * `\u` and four digits or as two of these. As every way is there, intersection and complement of what is written are those
 * of what is meant.
 */
export class JsonText implements Alphabet {
  readonly regexes: RegexStore;
  readonly anyChar: RegexId;
  readonly anyText: RegexId;
  /** At most {@link maxGap} characters of white space, or a line break and an indentation. */
  readonly gap: RegexId;
  readonly colon: RegexId;
  readonly #chars = new Map<string, RegexId>();
  /** What each of these was made of. */
  readonly #complements = new Map<RegexId, RegexId>();

  /** The same for all schemas of one grammar. */
  static of(regexes: RegexStore): JsonText {
    let text = known.get(regexes);
    if (!text) {
      text = new JsonText(regexes);
      known.set(regexes, text);
    }
    return text;
  }

  constructor(regexes: RegexStore) {
    this.regexes = regexes;
    this.anyChar = this.chars([[0, 0x10ffff]]);
    this.anyText = regexes.repeat(this.anyChar, 0);
    const [tab, lineFeed, carriageReturn, space] = [9, 10, 13, 32].map(byte => [byte, byte] as const);
    const gap = regexes.repeat(regexes.bytes([tab!, lineFeed!, carriageReturn!, space!]), 0, maxGap);
    const indent = regexes.repeat(regexes.bytes([tab!, space!]), 0, maxIndent);
    this.gap = regexes.or([gap, regexes.concat([regexes.bytes([lineFeed!]), indent])]);
    this.colon = regexes.concat([this.gap, regexes.literal(':'), this.gap]);
  }

  chars(ranges: Ranges): RegexId {
    const key = ranges.join(';');
    let id = this.#chars.get(key);
    if (id === undefined) {
      id = this.#charsOf(ranges);
      this.#chars.set(key, id);
    }
    return id;
  }

  #charsOf(chars: Ranges): RegexId {
    const { regexes } = this;
    const ranges = normaliseRanges(chars);
    const raw = intersectRanges(ranges, rawChars);
    const short = Object.entries(shortEscapes).filter(([point]) => contains(ranges, Number(point)));
    const escapes = short.map(([, letter]) => letter.codePointAt(0)!).map(letter => [letter, letter] as const);
    const basic = intersectRanges(ranges, [[0, 0xffff]]);
    const astral = intersectRanges(ranges, [[0x10000, 0x10ffff]]);
    const hex = [
      ...basic.map(([from, to]) => this.#hex(from, to, 4)),
      ...astral.map(([from, to]) => this.#pair(from - 0x10000, to - 0x10000)),
    ];
    return regexes.or([
      regexes.chars(raw),
      regexes.concat([regexes.literal('\\'), regexes.bytes(escapes)]),
      regexes.concat([regexes.literal('\\u'), regexes.or(hex)]),
    ]);
  }

  /** The numbers of a range as hexadecimal digits, of which there are `digits`. */
  #hex(from: number, to: number, digits: number): RegexId {
    const { regexes } = this;
    if (digits === 0) return regexes.empty;
    return this.#split(
      from,
      to,
      16 ** (digits - 1),
      (low, high) => this.#nibble(low, high),
      (low, high) => this.#hex(low, high, digits - 1),
    );
  }

  /** Both halves of a surrogate pair, of which the first `\u` is written already. */
  #pair(from: number, to: number): RegexId {
    return this.#split(
      from,
      to,
      0x400,
      (low, high) => this.#hex(low + 0xd800, high + 0xd800, 4),
      (low, high) => this.regexes.concat([this.regexes.literal('\\u'), this.#hex(low + 0xdc00, high + 0xdc00, 4)]),
    );
  }

  /** A range cut where its leading part changes: the ends apart, what is whole between them at once. */
  #split(
    from: number,
    to: number,
    size: number,
    lead: (from: number, to: number) => RegexId,
    rest: (from: number, to: number) => RegexId,
  ): RegexId {
    const { regexes } = this;
    let first = Math.floor(from / size);
    let last = Math.floor(to / size);
    if (first === last) return regexes.concat([lead(first, first), rest(from % size, to % size)]);
    const parts: RegexId[] = [];
    if (from % size !== 0) {
      parts.push(regexes.concat([lead(first, first), rest(from % size, size - 1)]));
      first++;
    }
    if (to % size !== size - 1) {
      parts.push(regexes.concat([lead(last, last), rest(0, to % size)]));
      last--;
    }
    if (first <= last) parts.push(regexes.concat([lead(first, last), rest(0, size - 1)]));
    return regexes.or(parts);
  }

  #nibble(from: number, to: number): RegexId {
    const ranges: [number, number][] = [];
    if (from <= 9) ranges.push([48 + from, 48 + Math.min(to, 9)]);
    if (to >= 10) {
      const low = Math.max(from, 10) - 10;
      ranges.push([65 + low, 55 + to], [97 + low, 87 + to]);
    }
    return this.regexes.bytes(ranges);
  }

  /** The text, each character in all the ways in which it can be written. */
  spellings(text: string): RegexId {
    return this.regexes.concat([...text].map(char => this.chars([[char.codePointAt(0)!, char.codePointAt(0)!]])));
  }

  /** The text as JSON.stringify writes it, without the quotes. */
  content(text: string): RegexId {
    return this.regexes.literal(JSON.stringify(text).slice(1, -1));
  }

  quoted(content: RegexId): RegexId {
    const quote = this.regexes.literal('"');
    return this.regexes.concat([quote, content, quote]);
  }

  /** What all of these write; counts of characters become one. */
  intersection(contents: readonly RegexId[]): RegexId {
    let [min, max] = [0, Number.POSITIVE_INFINITY];
    const others: RegexId[] = [];
    for (const content of contents) {
      const node = this.regexes.node(content);
      if (node.kind === 'repeat' && node.part === this.anyChar)
        [min, max] = [Math.max(min, node.min), Math.min(max, node.max)];
      else others.push(content);
    }
    if (others.length === 0) return this.regexes.repeat(this.anyChar, min, max);
    const both = this.regexes.and(others);
    return min === 0 && max === Number.POSITIVE_INFINITY ? both : this.regexes.count(both, this.anyChar, min, max);
  }

  /** The name of a member. */
  key(content: RegexId): RegexId {
    return this.quoted(content);
  }

  word(value: boolean | null): RegexId {
    return this.regexes.literal(String(value));
  }

  /** What is written of no text that `content` writes. */
  complement(content: RegexId): RegexId {
    const known = this.#complements.get(content);
    if (known !== undefined) return known;
    const complement = this.regexes.and([this.anyText, this.regexes.not(content)]);
    this.#complements.set(complement, content);
    return complement;
  }

  /** An integer part, without a sign. */
  get integer(): RegexId {
    const { regexes } = this;
    const digits = regexes.repeat(digitRange(regexes, 0, 9), 0, maxDigits - 1);
    return regexes.or([regexes.literal('0'), regexes.concat([digitRange(regexes, 1, 9), digits])]);
  }

  /** A point and digits, or nothing. */
  get fraction(): RegexId {
    const { regexes } = this;
    const digits = regexes.repeat(digitRange(regexes, 0, 9), 1, maxFraction);
    return regexes.repeat(regexes.concat([regexes.literal('.'), digits]), 0, 1);
  }

  /** An exponent small enough that the number stays finite, or nothing. */
  get exponent(): RegexId {
    return this.regexes.repeat(this.someExponent, 0, 1);
  }

  get someExponent(): RegexId {
    const { regexes } = this;
    const any = digitRange(regexes, 0, 9);
    const value = regexes.or([
      regexes.repeat(any, 1, 2),
      regexes.concat([digitRange(regexes, 0, 1), any, any]),
      regexes.concat([regexes.literal('2'), digitRange(regexes, 0, 8), any]),
    ]);
    const sign = regexes.repeat(regexes.or([regexes.literal('+'), regexes.literal('-')]), 0, 1);
    return regexes.concat([this.#letterE, sign, value]);
  }

  /** One that makes a number of one digit before the point smaller than one. */
  get negativeExponent(): RegexId {
    const { regexes } = this;
    const any = digitRange(regexes, 0, 9);
    const few = regexes.concat([regexes.repeat(regexes.literal('0'), 0, 1), digitRange(regexes, 1, 9)]);
    const value = regexes.or([few, regexes.concat([digitRange(regexes, 1, 9), any])]);
    return regexes.concat([this.#letterE, regexes.literal('-'), value]);
  }

  get #letterE(): RegexId {
    return this.regexes.or([this.regexes.literal('e'), this.regexes.literal('E')]);
  }
}

export function digitRange(regexes: Regexes, from: number, to: number): RegexId {
  return from > to ? regexes.nothing : regexes.bytes([[48 + from, 48 + to]]);
}

function contains(ranges: Ranges, point: number): boolean {
  return ranges.some(([from, to]) => from <= point && point <= to);
}
