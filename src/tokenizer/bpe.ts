import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { byteChar, toByteLevel } from './byte-level.ts';
import { encodeWords } from './encode-words.ts';
import { Merger } from './kernels/merge.ts';
import { PairTable } from './kernels/pair-table.ts';
import { isOrdinary } from './kinds.ts';
import { stringList } from './metadata.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import { spaceSplitter } from './space-splitter.ts';
import { split } from './split.ts';
import type { Steps } from './steps.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Orders of merges must fit in the merger's heap; real vocabularies stay under 600,000. */
const MAX_MERGES = 1 << 20;
const utf8 = new TextEncoder();

/**
 * Byte-pair encoding (Sennrich et al. 2016) over the bytes of words (GPT-2), or over characters with byte fallback
 * (Gemma 4). Pieces are token ids; a merge may name a text that is no token, which gets a number after the last token.
 */
export class BytePairEncoder {
  readonly merger: Merger;
  readonly #vocabulary: Vocabulary;
  readonly #pre: PreTokenizer;
  readonly #pieces: PieceTable;
  readonly #cutSpaces: ((text: string) => string[]) | undefined;

  constructor(metadata: Metadata, vocabulary: Vocabulary, pre: PreTokenizer) {
    this.#vocabulary = vocabulary;
    this.#pre = pre;
    this.#pieces = new PieceTable(vocabulary);
    this.merger = new Merger(readMerges(metadata, this.#pieces));
    this.#cutSpaces = pre.raw ? spaceSplitter(this.#pieces.texts) : undefined;
  }

  /** Appends the tokens of ordinary text to `out`. */
  *encode(text: string, out: number[]): Steps<void> {
    const raw = this.#pre.raw ? text.replaceAll(' ', '▁') : text;
    const words = yield* split(raw, this.#pre.splitters);
    yield* encodeWords(this.#cutSpaces ? words.flatMap(this.#cutSpaces) : words, this, out);
  }

  wholeWord(word: string): readonly number[] | undefined {
    const whole = this.#wholeWord(word);
    return whole === undefined ? undefined : [whole];
  }

  piecesOf(word: string): ArrayLike<number> {
    return this.#pre.raw ? this.#pieces.ofCharacters(word) : this.#pieces.ofBytes(word);
  }

  /** A byte or a character that no token stands for is dropped. */
  get dropsText(): boolean {
    const { ids, unknown } = this.#vocabulary;
    const name = this.#pre.raw ? byteToken : byteChar;
    return unknown === undefined && !Array.from({ length: 256 }, (_, byte) => name(byte)).every(text => ids.has(text));
  }

  /** Gemma 4 has tokens for runs of line feeds that its merges do not reach. */
  #wholeWord(word: string): number | undefined {
    if (!this.#pre.wholeWords && !(this.#pre.raw && word.startsWith('\n'))) return undefined;
    const id = this.#vocabulary.ids.get(this.#pre.raw ? word : toByteLevel(utf8.encode(word)));
    return id !== undefined && isOrdinary(this.#vocabulary.kinds[id]) ? id : undefined;
  }

  tokensOf(piece: number): number | number[] {
    if (piece < this.#vocabulary.texts.length && isOrdinary(this.#vocabulary.kinds[piece])) return piece;
    const text = this.#pieces.texts[piece] ?? '';
    const units = this.#pre.raw ? Array.from(utf8.encode(text), byteToken) : [...text];
    return units.flatMap(unit => this.#vocabulary.ids.get(unit) ?? this.#vocabulary.unknown ?? []);
  }
}

/** The name of the token that stands for one byte in a vocabulary with byte fallback. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** Numbers for texts: token ids first, then whatever else the merges or a text bring up. */
class PieceTable {
  readonly texts: string[];
  readonly #ids: Map<string, number>;
  readonly #bytes: Int32Array;

  constructor(vocabulary: Vocabulary) {
    this.texts = [...vocabulary.texts];
    this.#ids = new Map(vocabulary.ids);
    this.#bytes = Int32Array.from({ length: 256 }, (_, byte) => this.intern(byteChar(byte)));
  }

  intern(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.texts.push(text) - 1;
    this.#ids.set(text, id);
    return id;
  }

  ofBytes(word: string): Int32Array {
    const bytes = utf8.encode(word);
    const pieces = new Int32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) pieces[i] = this.#bytes[bytes[i] ?? 0] ?? 0;
    return pieces;
  }

  ofCharacters(word: string): Int32Array {
    return Int32Array.from(Array.from(word, char => this.intern(char)));
  }
}

/** Merges are lines "left right", in order; the first of two equal ones counts. Throws `model_invalid`. */
function readMerges(metadata: Metadata, pieces: PieceTable) {
  const lines = stringList(metadata, 'merges');
  if (!lines || lines.length > MAX_MERGES) {
    const problem = lines ? `more than ${MAX_MERGES} merges` : 'no merges';
    throw new RealmError(
      'model_invalid',
      `the tokenizer has ${problem} (tokenizer.ggml.merges): use another model file`,
      {
        param: 'tokenizer.ggml.merges',
      },
    );
  }
  const table = new PairTable(lines.length);
  const results = new Int32Array(lines.length);
  lines.forEach((line, order) => {
    // A space as the first character is part of the left piece.
    const space = line.indexOf(' ', 1);
    if (space < 0) return;
    const left = line.slice(0, space);
    const right = line.slice(space + 1);
    const a = pieces.intern(left);
    const b = pieces.intern(right);
    if (table.has(a, b)) return;
    table.set(a, b, order);
    results[order] = pieces.intern(left + right);
  });
  return {
    find: (left: number, right: number) => table.get(left, right),
    order: (merge: number) => merge,
    result: (merge: number) => results[merge] ?? 0,
  };
}
