import { byteToken } from './bpe.ts';
import { encodeWords } from './encode-words.ts';
import { type MergeRules, Merger } from './kernels/merge.ts';
import { PairTable } from './kernels/pair-table.ts';
import { isOrdinary } from './kinds.ts';
import { spaceSplitter } from './space-splitter.ts';
import type { Steps } from './steps.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Pairs whose merge has been looked up by text once; forgotten when there are too many. */
const MAX_KNOWN_PAIRS = 1 << 20;
const utf8 = new TextEncoder();

/**
 * SentencePiece's BPE model (Kudo and Richardson 2018): two neighbours join when their text is a token, the one with the
 * best score first; characters that are no token become byte tokens.
 */
export class SentencePieceEncoder {
  readonly merger: Merger;
  readonly #vocabulary: Vocabulary;
  readonly #rules: ScoreRules;
  readonly #words: (text: string) => string[];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#rules = new ScoreRules(vocabulary);
    this.merger = new Merger(this.#rules);
    this.#words = spaceSplitter(vocabulary.texts);
  }

  /** Appends the tokens of ordinary text to `out`; `atStart` when nothing or a special token is before it. */
  encode(text: string, out: number[], atStart: boolean): Steps<void> {
    const prefixed = atStart && this.#vocabulary.addSpacePrefix ? ` ${text}` : text;
    return encodeWords(this.#words(prefixed.replaceAll(' ', '▁')), this, out);
  }

  wholeWord(): undefined {
    return undefined;
  }

  piecesOf(word: string): ArrayLike<number> {
    return Array.from(word, char => this.#rules.pieceOf(char));
  }

  /** A character that no token stands for is dropped. */
  get dropsText(): boolean {
    const { ids, unknown } = this.#vocabulary;
    return unknown === undefined && !Array.from({ length: 256 }, (_, byte) => ids.has(byteToken(byte))).every(Boolean);
  }

  tokensOf(piece: number): number | number[] {
    if (piece < this.#vocabulary.texts.length) return piece;
    const { ids, unknown } = this.#vocabulary;
    const bytes = utf8.encode(this.#rules.texts[piece] ?? '');
    return Array.from(bytes).flatMap(byte => ids.get(byteToken(byte)) ?? unknown ?? []);
  }
}

/** A merge is the token that it makes; its order is the place of its score among all scores, equal ones sharing it. */
class ScoreRules implements MergeRules {
  /** Token texts, then the characters outside the vocabulary that texts have brought up. */
  readonly texts: string[];
  readonly #vocabulary: Vocabulary;
  readonly #orders: Int32Array;
  readonly #characters = new Map<string, number>();
  #known = new PairTable(1 << 14);

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.texts = [...vocabulary.texts];
    const descending = Float32Array.from(new Set(vocabulary.scores)).sort().reverse();
    const orderOf = new Map(Array.from(descending, (score, order) => [score, order]));
    this.#orders = Int32Array.from(vocabulary.scores, score => orderOf.get(score)!);
  }

  find(left: number, right: number): number {
    const known = this.#known.get(left, right);
    if (known >= 0) return known - 1;
    if (this.#known.size > MAX_KNOWN_PAIRS) this.#known = new PairTable(1 << 14);
    const merge = this.#token(`${this.texts[left]}${this.texts[right]}`) ?? -1;
    this.#known.set(left, right, merge + 1);
    return merge;
  }

  order(merge: number): number {
    return this.#orders[merge] ?? 0;
  }

  result(merge: number): number {
    return merge;
  }

  pieceOf(char: string): number {
    const token = this.#token(char) ?? this.#characters.get(char);
    if (token !== undefined) return token;
    const piece = this.texts.push(char) - 1;
    this.#characters.set(char, piece);
    return piece;
  }

  #token(text: string): number | undefined {
    const id = this.#vocabulary.ids.get(text);
    return id !== undefined && isOrdinary(this.#vocabulary.kinds[id]) ? id : undefined;
  }
}
