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
  #length = first;
  #pause = 0;
  #misses = 0;

  /** A guess at what comes next, at most `most` tokens; often none. */
  draft(tokens: readonly Token[], most: number): Token[] {
    if (this.#pause > 0) {
      this.#pause--;
      return [];
    }
    const at = lastOccurrence(tokens);
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

/**
 * Position after the last place before the end where the last tokens stand too. Looked for each time: a microsecond for a
 * thousand tokens, where an index of them takes 300, which a request of a few tokens behind a long prompt never earns.
 */
function lastOccurrence(tokens: readonly Token[]): number | undefined {
  const [third, second, last] = tokens.slice(-matched);
  for (let at = tokens.length - 1; at >= matched; at--)
    if (tokens[at - 1] === last && tokens[at - 2] === second && tokens[at - 3] === third) return at;
  return undefined;
}
