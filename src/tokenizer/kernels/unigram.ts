import { RealmError } from '../../errors.ts';
import type { Metadata } from '../../gguf/types.ts';
import { kinds } from '../kinds.ts';
import { byteList, flag } from '../metadata.ts';
import type { Steps } from '../steps.ts';
import type { Vocabulary } from '../vocabulary.ts';
import { Charsmap } from './charsmap.ts';
import { Trie } from './trie.ts';

const UNKNOWN_PENALTY = 10;
const SPACE = 0x20;
/** Bytes of one step: about 2 ms. */
const STEP = 1 << 13;
const utf8 = new TextEncoder();
const ESCAPED_SPACE = utf8.encode('▁');

/**
 * SentencePiece's unigram model (Kudo 2018; T5, XLM-R): of all ways to cut a text into tokens, the one whose
 * log-probabilities add up to most, found by Viterbi's algorithm over the bytes of the normalised text.
 */
export class UnigramEncoder {
  readonly #trie = new Trie();
  readonly #userDefined = new Trie();
  readonly #vocabulary: Vocabulary;
  readonly #charsmap: Charsmap | undefined;
  readonly #mergeSpaces: boolean;
  readonly #spaceAfter: boolean;
  readonly #unknown: number;
  readonly #unknownScore: number;

  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    if (vocabulary.unknown === undefined) {
      throw new RealmError('model_invalid', 'a unigram vocabulary needs an unknown token: use another model file', {
        param: 'tokenizer.ggml.unknown_token_id',
      });
    }
    this.#unknown = vocabulary.unknown;
    this.#vocabulary = vocabulary;
    const charsmap = byteList(metadata, 'precompiled_charsmap');
    this.#charsmap = charsmap && new Charsmap(charsmap);
    this.#mergeSpaces = flag(metadata, 'remove_extra_whitespaces') ?? false;
    this.#spaceAfter = flag(metadata, 'treat_whitespace_as_suffix') ?? false;
    this.#unknownScore = this.#index() - UNKNOWN_PENALTY;
  }

  /** Appends the tokens of ordinary text to `out`. */
  *encode(text: string, out: number[]): Steps<void> {
    const bytes = yield* this.#normalize(utf8.encode(text));
    const { tokens, starts } = yield* this.#bestPaths(bytes);
    const reversed: number[] = [];
    for (let end = bytes.length; end > 0; end = starts[end]) {
      // A run of unknown characters is one unknown token.
      if (tokens[end] !== this.#unknown || reversed.at(-1) !== this.#unknown) reversed.push(tokens[end]);
    }
    for (let i = reversed.length - 1; i >= 0; i--) out.push(reversed[i]);
  }

  /** Fills the tries; the lowest score of an ordinary token. */
  #index(): number {
    const { texts, kinds: tokenKinds, scores } = this.#vocabulary;
    let lowest = Number.POSITIVE_INFINITY;
    texts.forEach((text, id) => {
      const kind = tokenKinds[id];
      if (kind === kinds.normal) lowest = Math.min(lowest, scores[id]);
      if (kind !== kinds.normal && kind !== kinds.userDefined && kind !== kinds.unused) return;
      const bytes = utf8.encode(text);
      this.#trie.insert(bytes, id);
      if (kind === kinds.userDefined) this.#userDefined.insert(bytes, id);
    });
    return Number.isFinite(lowest) ? lowest : 0;
  }

  /** For every end of a token: the best token that ends there and where that begins // [bytes + 1] */
  *#bestPaths(bytes: Uint8Array): Steps<{ tokens: Int32Array; starts: Int32Array }> {
    const tokens = new Int32Array(bytes.length + 1).fill(this.#unknown);
    const starts = new Int32Array(bytes.length + 1);
    const best = new Float64Array(bytes.length + 1).fill(-Number.MAX_VALUE);
    best[0] = 0;
    const offer = (start: number, end: number, token: number, score: number) => {
      if (best[start] + score <= best[end]) return;
      best[end] = best[start] + score;
      tokens[end] = token;
      starts[end] = start;
    };
    for (let start = 0, pause = STEP; start < bytes.length; ) {
      if (start >= pause) {
        yield;
        pause = start + STEP;
      }
      const next = Math.min(start + characterLength(bytes[start]), bytes.length);
      if (!this.#offerTokens(bytes, start, next, offer)) offer(start, next, this.#unknown, this.#unknownScore);
      start = next;
    }
    return { tokens, starts };
  }

  /** Offers every token that begins at `start`; whether one of them is the character that ends at `next`. */
  #offerTokens(
    bytes: Uint8Array,
    start: number,
    next: number,
    offer: (start: number, end: number, token: number, score: number) => void,
  ): boolean {
    let found = false;
    let node = 0;
    for (let at = start; at < bytes.length; at++) {
      node = this.#trie.child(node, bytes[at]);
      if (node < 0) break;
      const token = this.#trie.value(node);
      if (token < 0) continue;
      if (at + 1 === next) found = true;
      offer(start, at + 1, token, this.#score(token));
    }
    return found;
  }

  #score(token: number): number {
    return this.#vocabulary.kinds[token] === kinds.userDefined ? 0 : this.#vocabulary.scores[token];
  }

  *#normalize(text: Uint8Array): Steps<Uint8Array> {
    const out = new ByteList(text.length * 2);
    const { addSpacePrefix } = this.#vocabulary;
    let prefixed = this.#spaceAfter || !addSpacePrefix;
    let inWord = false;
    for (let at = 0, pause = STEP; at < text.length; ) {
      if (at >= pause) {
        yield;
        pause = at + STEP;
      }
      const { length, bytes } = this.#normalizeAt(text, at);
      at += length;
      for (const byte of bytes) {
        if (byte === SPACE) {
          inWord = false;
          if (!this.#mergeSpaces) out.append(ESCAPED_SPACE);
          continue;
        }
        if (!inWord && (this.#mergeSpaces || !prefixed)) {
          out.append(ESCAPED_SPACE);
          prefixed = true;
        }
        inWord = true;
        out.push(byte);
      }
    }
    if (this.#spaceAfter && addSpacePrefix) out.append(ESCAPED_SPACE);
    return out.bytes();
  }

  /** What the next few bytes become: a user-defined token stays, then the map decides, then a character stays. */
  #normalizeAt(text: Uint8Array, at: number): { length: number; bytes: Uint8Array } {
    const kept = this.#userDefinedLength(text, at);
    const mapped = kept === 0 ? this.#charsmap?.match(text, at) : undefined;
    if (mapped) return { length: mapped.length, bytes: mapped.replacement };
    const length = kept || characterLength(text[at]);
    return { length, bytes: text.subarray(at, at + length) };
  }

  #userDefinedLength(text: Uint8Array, start: number): number {
    let length = 0;
    for (let at = start, node = 0; at < text.length; at++) {
      node = this.#userDefined.child(node, text[at]);
      if (node < 0) break;
      if (this.#userDefined.value(node) >= 0) length = at + 1 - start;
    }
    return length;
  }
}

/** The length in bytes of the UTF-8 character that begins with `lead`. */
function characterLength(lead: number): number {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

class ByteList {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(Math.max(16, capacity));
  }

  push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }

  append(bytes: Uint8Array): void {
    for (const byte of bytes) this.push(byte);
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
