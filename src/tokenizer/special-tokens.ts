import { RealmError } from '../errors.ts';
import { codeUnits, Trie } from './kernels/trie.ts';
import { kinds } from './kinds.ts';
import type { TextRange } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

/** No real special token comes near it; without a bound a search could cost text times token length. */
const MAX_SPECIAL_LENGTH = 1024;
const ASCII_SPACE = /[ \t-\r]/;
const ASCII_SPACES_RIGHT = /^[ \t-\r]+/;

/**
 * Cuts texts at the special tokens in them. User-defined tokens are always found; control tokens only when asked and
 * only outside of values, so that a user cannot write one. At each place the longest one wins.
 */
export class SpecialTokens {
  readonly #all = new TokenSet();
  readonly #userDefined = new TokenSet();
  readonly #vocabulary: Vocabulary;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    vocabulary.kinds.forEach((kind, id) => {
      if (kind !== kinds.control && kind !== kinds.unknown && kind !== kinds.userDefined) return;
      const text = vocabulary.texts[id] ?? '';
      this.#all.add(text, id);
      if (kind === kinds.userDefined) this.#userDefined.add(text, id);
    });
  }

  /**
   * The special tokens (numbers) and the non-empty texts between them, in order. The text of a control token that
   * touches one of `values` (in order, apart from each other) is plain text.
   */
  partition(text: string, parseSpecial: boolean, values: readonly TextRange[] = []): (string | number)[] {
    const tokens = parseSpecial ? this.#all : this.#userDefined;
    let nextValue = 0;
    let range = values[nextValue];
    const parts: (string | number)[] = [];
    let rest = 0;
    for (let at = tokens.next(text, 0); at < text.length; at = tokens.next(text, at)) {
      while (range && range[1] <= at) range = values[++nextValue];
      const found = tokens.longest(text, at);
      const isPlain = range !== undefined && range[0] < found.end;
      const { value, end } = isPlain ? this.#userDefined.longest(text, at) : found;
      if (value < 0) {
        at++;
        continue;
      }
      this.#pushText(parts, text.slice(rest, at), value);
      parts.push(value);
      rest = at = end;
    }
    this.#pushText(parts, text.slice(rest));
    return parts;
  }

  #pushText(parts: (string | number)[], text: string, following?: number): void {
    const preceding = parts.at(-1);
    let trimmed = text;
    if (typeof preceding === 'number' && this.#vocabulary.stripRight.has(preceding)) {
      trimmed = trimmed.replace(ASCII_SPACES_RIGHT, '');
    }
    if (following !== undefined && this.#vocabulary.stripLeft.has(following)) {
      trimmed = trimEnd(trimmed);
    }
    if (trimmed) parts.push(trimmed);
  }
}

/** A loop, since a regular expression anchored at the end looks at every run of spaces again and again. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ASCII_SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

class TokenSet {
  readonly #trie = new Trie();
  readonly #starts = new Uint8Array(65536);

  add(text: string, id: number): void {
    if (text.length > MAX_SPECIAL_LENGTH) {
      throw new RealmError(
        'model_invalid',
        `token ${id} is special and ${text.length} characters long: use another file`,
        {
          param: 'tokenizer.ggml.tokens',
        },
      );
    }
    this.#trie.insert(codeUnits(text), id);
    this.#starts[text.charCodeAt(0)] = 1;
  }

  /** The first place from `at` on where a token might begin. */
  next(text: string, at: number): number {
    let i = at;
    while (i < text.length && !this.#starts[text.charCodeAt(i)]) i++;
    return i;
  }

  longest(text: string, at: number): { value: number; end: number } {
    return this.#trie.longest(text, at);
  }
}
