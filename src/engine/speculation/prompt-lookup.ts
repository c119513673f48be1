import type { Token } from '../../tokenizer/types.ts';

/** Last tokens that must have occurred before. */
const matched = 3;
/** Most tokens of a draft: with the token before them they are one tile of the matrix kernels. */
const longest = 5;
const first = 2;
/** Tokens without drafts after a draft of which nothing was right; doubled each time in a row. */
const shortestPause = 8;
const longestPause = 64;

/**
 * Drafts by prompt lookup: what followed the last time that a sequence's last tokens occurred. Costs next to nothing, and is right
 * where an answer repeats its prompt or itself. Drafts grow while they are right, and pause when they are not.
 */
export class PromptLookup {
  /** Position after an occurrence of some tokens. */
  readonly #after = new Map<string, number>();
  #indexed = matched;
  #length = first;
  #pause = 0;
  #misses = 0;

  /** A guess at what comes next, at most `most` tokens; often none. */
  draft(tokens: readonly Token[], most: number): Token[] {
    for (; this.#indexed < tokens.length; this.#indexed++) this.#after.set(keyOf(tokens, this.#indexed), this.#indexed);
    if (this.#pause > 0) {
      this.#pause--;
      return [];
    }
    const at = this.#after.get(keyOf(tokens, tokens.length));
    return at === undefined ? [] : tokens.slice(at, at + Math.min(this.#length, most));
  }

  /** What became of the last draft. */
  learn(drafted: number, accepted: number): void {
    if (drafted === 0) return;
    if (accepted === 0) {
      this.#pause = Math.min(longestPause, shortestPause << this.#misses++);
      this.#length = first;
      return;
    }
    this.#misses = 0;
    this.#length = accepted === drafted ? Math.min(longest, 2 * this.#length) : Math.max(first, accepted);
  }
}

function keyOf(tokens: readonly Token[], end: number): string {
  return tokens.slice(end - matched, end).join(' ');
}
