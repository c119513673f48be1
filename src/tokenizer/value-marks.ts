import { codeUnits, Trie } from './kernels/trie.ts';
import type { TextRange } from './types.ts';

/** Changes a value without changing its length. */
export type Marking = (value: string) => string;

/** A quote and a backslash stay: JSON writes them otherwise than other characters. */
const PRINTABLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).filter(c => !/["\\]/.test(c));
/** The private use area: the characters that stand for marked ones. */
const PRIVATE = { first: 0xe000, last: 0xf8ff };
const LETTER = /\p{L}/u;
const BETWEEN = /^[\s"\\]*$/;

/**
 * Marks characters of values, so that they can be told from the template's own in what it renders: a marked character
 * is another, private one. Only characters that may be a part of a control token need it.
 */
export class ValueMarks {
  readonly #marked = new Uint16Array(65536);
  readonly #plain = new Map<number, number>();
  readonly #controls = new Trie();
  readonly #starts = new Uint8Array(65536);
  readonly #edges = new Uint8Array(65536);
  readonly #beginnings = new Set<string>();

  constructor(controlTexts: readonly string[]) {
    for (const [id, text] of controlTexts.entries()) {
      this.#controls.insert(codeUnits(text), id);
      this.#starts[text.charCodeAt(0)] = 1;
      for (const end of [0, text.length - 1]) this.#edges[text.charCodeAt(end)] = 1;
      for (let end = 1; end < text.length; end++) this.#beginnings.add(text.slice(0, end));
    }
    const ofControls = [...new Set(controlTexts.join(''))].filter(
      c => c.length === 1 && /[^\s"\\\ue000-\uf8ff]/.test(c),
    );
    const alphabet = new Set([...PRINTABLE, ...ofControls].slice(0, PRIVATE.last - PRIVATE.first));
    let next = PRIVATE.first;
    for (const character of alphabet) {
      this.#marked[character.charCodeAt(0)] = next;
      this.#plain.set(next++, character.charCodeAt(0));
    }
  }

  /** Whether a control token's first or last character is in the value; without, none can begin or end in it. */
  canTouch(value: string): boolean {
    return somewhere(value, this.#edges, () => true);
  }

  hasControl(value: string): boolean {
    return somewhere(value, this.#starts, at => this.#controls.longest(value, at).value >= 0);
  }

  /** Whether a control token may begin in the template's text and go on in a value. */
  canBegin(written: string): boolean {
    for (let length = 1; length <= written.length; length++) {
      if (this.#beginnings.has(written.slice(-length))) return true;
    }
    return false;
  }

  /** Marks all that can be marked. */
  readonly all: Marking = value => this.#mark(value, () => true);

  /** Marks a character of each control token, so that it is none any more. */
  readonly controls: Marking = value => {
    if (!this.hasControl(value)) return value;
    const chosen = this.#inControls(value);
    return this.#mark(value, at => chosen[at] === 1);
  };

  /**
   * Marks all but the texts that a template looks for, and but letters where it may change their case; of these too,
   * what {@link controls} marks.
   */
  except(texts: readonly string[], { letters }: { letters: boolean }): Marking {
    return value => {
      const chosen = codeUnits(value).map(unit => (letters || !LETTER.test(String.fromCharCode(unit)) ? 1 : 0));
      for (const text of texts) {
        for (let at = value.indexOf(text); at >= 0; at = value.indexOf(text, at + text.length)) {
          chosen.fill(0, at, at + text.length);
        }
      }
      this.#inControls(value).forEach((isChosen, at) => {
        if (isChosen) chosen[at] = 1;
      });
      return this.#mark(value, at => chosen[at] === 1);
    };
  }

  /** The text as it was before it was marked. */
  unmark(text: string): string {
    return mapUnits(text, unit => this.#plain.get(unit) ?? unit);
  }

  /** Where `marked`, which is `text` with marks, has them; undefined when it is another text. */
  ranges(text: string, marked: string): TextRange[] | undefined {
    if (text.length !== marked.length) return undefined;
    const ranges: [number, number][] = [];
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      const found = marked.charCodeAt(at);
      if (found === unit) continue;
      if (found !== this.#marked[unit]) return undefined;
      const last = ranges.at(-1);
      if (last && (last[1] === at || BETWEEN.test(text.slice(last[1], at)))) last[1] = at + 1;
      else ranges.push([at, at + 1]);
    }
    return ranges;
  }

  /** The first character that can be marked of every control token, those inside of others too. */
  #inControls(value: string): Uint8Array {
    const chosen = new Uint8Array(value.length);
    somewhere(value, this.#starts, start => {
      const { value: id, end } = this.#controls.longest(value, start);
      for (let at = start; id >= 0 && at < end; at++) {
        if (!this.#marked[value.charCodeAt(at)]) continue;
        chosen[at] = 1;
        break;
      }
      return false;
    });
    return chosen;
  }

  #mark(value: string, isChosen: (at: number) => boolean): string {
    return mapUnits(value, (unit, at) => (isChosen(at) && this.#marked[unit]) || unit);
  }
}

/** Whether `test` holds at some place whose character is in `units`. */
function somewhere(text: string, units: Uint8Array, test: (at: number) => boolean): boolean {
  for (let at = 0; at < text.length; at++) if (units[text.charCodeAt(at)] && test(at)) return true;
  return false;
}

function mapUnits(text: string, change: (unit: number, at: number) => number): string {
  const units = codeUnits(text).map(change);
  let out = '';
  for (let at = 0; at < units.length; at += 8192) out += String.fromCharCode(...units.subarray(at, at + 8192));
  return out;
}
