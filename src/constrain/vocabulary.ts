import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { groupTokens, type TokenGroup } from './token-groups.ts';
import { type TokenBytes, TokenTrie } from './token-trie.ts';

/** What constraints need of a tokenizer. */
export type VocabularySource = Pick<Tokenizer, 'vocabSize' | 'endOfGeneration' | 'bytes'>;

/** Tokens that are whole characters of a JSON string, none of them escaped. */
export interface Slice {
  /** Of the longest of them. */
  readonly chars: number;
  readonly mask: Uint32Array;
  /** All other tokens. */
  readonly rest: TokenTrie;
}

/** A vocabulary laid out for masks, made once for a tokenizer. Tokens without bytes are special. */
export interface Vocabulary {
  readonly size: number;
  readonly endTokens: ReadonlySet<Token>;
  /** The bytes of each token, [size]. */
  readonly bytes: { at(token: number): Uint8Array | undefined };
  readonly trie: TokenTrie;
  readonly slice: Slice;
  /** The tokens of `trie` once more, by kind. */
  readonly groups: readonly TokenGroup[];
  readonly others: TokenTrie;
}

/** What the characters of a slice's tokens are not: the end of a JSON string, escapes and control characters. */
export const notInSlices = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
] as const;
const sliceText = /^[^\x00-\x1f"\\]+$/;

const known = new WeakMap<VocabularySource, Vocabulary>();

export function vocabularyOf(tokenizer: VocabularySource): Vocabulary {
  let vocabulary = known.get(tokenizer);
  if (!vocabulary) {
    vocabulary = makeVocabulary(tokenizer);
    known.set(tokenizer, vocabulary);
  }
  return vocabulary;
}

/** Words of a mask. */
export const maskWords = (size: number): number => Math.ceil(size / 32);

function makeVocabulary(tokenizer: VocabularySource): Vocabulary {
  const size = tokenizer.vocabSize;
  const bytes = Array.from({ length: size }, (_, token) => tokenizer.bytes(token as Token));
  const tokens = bytes
    .map((part, token): TokenBytes => ({ token: token as Token, text: latin1(part) }))
    .filter(({ text }) => text.length > 0)
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.token - b.token));
  return {
    size,
    endTokens: tokenizer.endOfGeneration,
    bytes,
    trie: new TokenTrie(tokens),
    ...groupTokens(tokens, maskWords(size)),
    slice: sliceOf(tokens, bytes, maskWords(size)),
  };
}

/** `words`: of a mask. */
function sliceOf(tokens: readonly TokenBytes[], bytes: readonly Uint8Array[], words: number): Slice {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const mask = new Uint32Array(words);
  let longest = 0;
  const rest = tokens.filter(({ token }) => {
    const chars = sliceChars(bytes[token], decoder);
    if (chars === Number.POSITIVE_INFINITY) return true;
    mask[token >> 5] |= 1 << (token & 31);
    longest = Math.max(longest, chars);
    return false;
  });
  return { chars: longest, mask, rest: new TokenTrie(rest) };
}

/** How many characters a token of a slice has; endlessly many for others. */
function sliceChars(bytes: Uint8Array, decoder: TextDecoder): number {
  // Most tokens are ASCII; the rest begins with a whole character or is no text, which is slow to find out by an error.
  let isAscii = true;
  for (const byte of bytes) {
    if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return Number.POSITIVE_INFINITY;
    if (byte >= 0x80) isAscii = false;
  }
  if (isAscii) return bytes.length;
  if ((bytes[0] & 0xc0) === 0x80) return Number.POSITIVE_INFINITY;
  try {
    const text = decoder.decode(bytes);
    return sliceText.test(text) ? [...text].length : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
