import type { Merger } from './kernels/merge.ts';
import type { Steps } from './steps.ts';

/** What the ways of merging differ in beside the rules. */
export interface WordEncoder {
  readonly merger: Merger;
  /** The tokens of a word that is not merged. */
  wholeWord(word: string): readonly number[] | undefined;
  /** What merging begins with. */
  piecesOf(word: string): ArrayLike<number>;
  /** The tokens of a merged piece. */
  tokensOf(piece: number): number | number[];
}

/** Longer words hardly come twice. */
const MAX_CACHED_WORD = 64;
/** Longer words are merged in steps. */
const MAX_WHOLE_WORD = 4096;
/** Characters of one step: about 2 ms. */
const STEP = 1 << 13;

/** Appends the tokens of the words to `out`. The cache lives for one call: no text outlives its request. */
export function* encodeWords(words: readonly string[], encoder: WordEncoder, out: number[]): Steps<void> {
  const cache = new Map<string, readonly number[]>();
  let done = 0;
  for (const word of words) {
    let tokens = cache.get(word);
    if (!tokens) {
      tokens = word.length <= MAX_WHOLE_WORD ? encodeWord(word, encoder) : yield* encodeLongWord(word, encoder);
      if (word.length <= MAX_CACHED_WORD) cache.set(word, tokens);
    }
    for (const token of tokens) out.push(token);
    done += word.length;
    if (done < STEP) continue;
    done = 0;
    yield;
  }
}

function encodeWord(word: string, encoder: WordEncoder): readonly number[] {
  const whole = encoder.wholeWord(word);
  return whole ?? encoder.merger.merge(encoder.piecesOf(word)).flatMap(piece => encoder.tokensOf(piece));
}

function* encodeLongWord(word: string, encoder: WordEncoder): Steps<readonly number[]> {
  const whole = encoder.wholeWord(word);
  if (whole) return whole;
  const pieces = encoder.piecesOf(word);
  yield;
  const merged = yield* encoder.merger.mergeInSteps(pieces);
  yield;
  return merged.flatMap(piece => encoder.tokensOf(piece));
}
