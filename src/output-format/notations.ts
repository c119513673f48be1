import { JsonText } from '../constrain/json-text.ts';
import type { Ranges, RegexId } from '../constrain/regex.ts';
import type { RegexStore } from '../constrain/regexes.ts';
import { anyBut } from './text-regexes.ts';

/** Text as it stands, up to `end`, which it does not contain. */
export class RawText extends JsonText {
  readonly #end: string;

  constructor(regexes: RegexStore, end: string) {
    super(regexes);
    this.#end = end;
  }

  override chars(ranges: Ranges): RegexId {
    return this.regexes.chars(ranges);
  }

  override content(text: string): RegexId {
    return this.regexes.literal(text);
  }

  override quoted(content: RegexId): RegexId {
    return this.#end === '' ? content : this.regexes.and([content, anyBut(this.#end, this.regexes)]);
  }
}

/** JSON whose strings do not contain `end`: they can write it with escapes. */
export class JsonBefore extends JsonText {
  readonly #end: string;

  constructor(regexes: RegexStore, end: string) {
    super(regexes);
    this.#end = end;
  }

  override quoted(content: RegexId): RegexId {
    return this.before(super.quoted(content));
  }

  protected before(quoted: RegexId): RegexId {
    return this.#end === '' ? quoted : this.regexes.and([quoted, anyBut(this.#end, this.regexes)]);
  }
}

/** JSON with bare keys, and texts as they are between `quote`s. */
export class QuotedText extends RawText {
  readonly #quote: string;

  constructor(regexes: RegexStore, quote: string) {
    super(regexes, quote);
    this.#quote = quote;
  }

  override quoted(content: RegexId): RegexId {
    const quote = this.regexes.literal(this.#quote);
    return this.regexes.concat([quote, super.quoted(content), quote]);
  }

  override key(content: RegexId): RegexId {
    const letter = this.regexes.chars([
      [0x24, 0x24],
      [0x2d, 0x2e],
      [0x30, 0x39],
      [0x41, 0x5a],
      [0x5f, 0x5f],
      [0x61, 0x7a],
      // Letters of other languages, without their spaces.
      [0xc0, 0x167f],
      [0x1681, 0x1fff],
      [0x3001, 0xd7ff],
    ]);
    return this.regexes.and([content, this.regexes.repeat(letter, 1)]);
  }
}

const shortEscapes: Readonly<Record<number, string>> = { 9: 't', 10: 'n', 13: 'r', 39: "'", 92: '\\' };

/** Values as Python's `repr` writes them, texts in single quotes. */
export class PythonText extends JsonBefore {
  override chars(ranges: Ranges): RegexId {
    const { regexes } = this;
    const raw = ranges.flatMap(range => withoutEscaped(range));
    const escaped = Object.entries(shortEscapes).filter(([code]) =>
      ranges.some(([from, to]) => from <= Number(code) && Number(code) <= to),
    );
    return regexes.or([regexes.chars(raw), ...escaped.map(([, letter]) => regexes.literal(`\\${letter}`))]);
  }

  override content(text: string): RegexId {
    return this.spellings(text);
  }

  override quoted(content: RegexId): RegexId {
    const quote = this.regexes.literal("'");
    return this.before(this.regexes.concat([quote, content, quote]));
  }

  override word(value: boolean | null): RegexId {
    return this.regexes.literal(value === null ? 'None' : value ? 'True' : 'False');
  }
}

/** Control characters, quotes and backslashes never stand as themselves. */
function withoutEscaped([from, to]: readonly [number, number]): [number, number][] {
  const raw: [number, number][] = [
    [0x20, 0x26],
    [0x28, 0x5b],
    [0x5d, 0x10ffff],
  ];
  return raw.flatMap(([low, high]): [number, number][] =>
    low <= to && from <= high ? [[Math.max(low, from), Math.min(high, to)]] : [],
  );
}

/** Notations of one store of regular expressions, each made once. `end`: what texts do not contain. */
export class Notations {
  readonly #regexes: RegexStore;
  readonly #made = new Map<string, JsonText>();

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
  }

  of(kind: keyof typeof makers, end: string): JsonText {
    const key = `${kind} ${end}`;
    let text = this.#made.get(key);
    if (!text) {
      text = new makers[kind](this.#regexes, end);
      this.#made.set(key, text);
    }
    return text;
  }
}

const makers = { raw: RawText, json: JsonBefore, python: PythonText, quoted: QuotedText };
