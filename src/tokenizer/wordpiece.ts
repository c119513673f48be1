import { RealmError } from '../errors.ts';
import { codeUnits, Trie } from './kernels/trie.ts';
import { isOrdinary } from './kinds.ts';
import type { Steps } from './steps.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface BertNormalizer {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
}

/** Characters of one step: about 2 ms. */
const STEP = 1 << 12;
const WHITE_SPACE = /\p{White_Space}/u;
const DROPPED = /[\p{Cc}\p{Cf}\p{Co}\uFFFD]/u;
const MARK = /\p{M}/u;
/** Punctuation of any script, symbols of ASCII only, and ideographs stand alone (BERT's BasicTokenizer). */
const ALONE =
  /[\p{P}$+<=>^`|~\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;

/** WordPiece (Schuster and Nakajima 2012) as BERT uses it: the longest known piece first, a word with a gap is unknown. */
export class WordPieceEncoder {
  readonly #trie = new Trie();
  readonly #unknown: number;
  readonly #normalizer: BertNormalizer;

  constructor(vocabulary: Vocabulary, normalizer: BertNormalizer) {
    if (vocabulary.unknown === undefined) {
      throw new RealmError('model_invalid', 'a WordPiece vocabulary needs an unknown token: use another model file', {
        param: 'tokenizer.ggml.unknown_token_id',
      });
    }
    this.#unknown = vocabulary.unknown;
    this.#normalizer = normalizer;
    vocabulary.texts.forEach((text, id) => {
      if (isOrdinary(vocabulary.kinds[id])) this.#trie.insert(codeUnits(text), id);
    });
  }

  /** Appends the tokens of ordinary text to `out`. */
  *encode(text: string, out: number[]): Steps<void> {
    for (const word of words(text, this.#normalizer)) {
      if (word === undefined) {
        yield;
        continue;
      }
      const tokens = this.#pieces(`▁${word}`);
      if (tokens) for (const token of tokens) out.push(token);
      else out.push(this.#unknown);
    }
  }

  #pieces(word: string): number[] | undefined {
    const tokens: number[] = [];
    for (let at = 0; at < word.length; ) {
      const { value, end } = this.#trie.longest(word, at);
      if (value < 0) return undefined;
      tokens.push(value);
      at = end;
    }
    return tokens;
  }
}

/** The words of a text; undefined after each step of the work. */
function* words(text: string, { lowercase, stripAccents }: BertNormalizer): Generator<string | undefined> {
  let word = '';
  let done = 0;
  for (const original of text) {
    if (++done % STEP === 0) yield;
    const char = stripAccents ? baseCharacter(original) : original;
    const space = WHITE_SPACE.test(char);
    if (!space && (char === '\0' || DROPPED.test(char) || (stripAccents && MARK.test(char)))) continue;
    const alone = !space && ALONE.test(char);
    if (!space && !alone) {
      word += lowercase ? lower(char) : char;
      continue;
    }
    if (word) yield word;
    word = '';
    if (alone) yield lowercase ? lower(char) : char;
  }
  if (word) yield word;
}

/** The first character of the canonical decomposition: what remains of a letter without its accents. */
function baseCharacter(char: string): string {
  return String.fromCodePoint(char.normalize('NFD').codePointAt(0)!);
}

/** Lower case of one character as one character. */
function lower(char: string): string {
  return String.fromCodePoint(char.toLowerCase().codePointAt(0)!);
}
