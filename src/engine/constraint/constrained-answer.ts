import type { Constraint, ConstraintState, Forced } from '../../constrain/constraint.ts';
import { longestToken } from '../../constrain/token-trie.ts';
import { asRealmError, RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';

/**
 * Where a constrained answer is, a function of its tokens alone: it stays with the request while that is preempted, and
 * guesses move it forth and back.
 */
export class ConstrainedAnswer {
  readonly constraint: Constraint;
  readonly #state: ConstraintState;
  #error: RealmError | undefined;

  constructor(constraint: Constraint, state = constraint.start()) {
    this.constraint = constraint;
    this.#state = state;
  }

  /** Tokens that end an answer, where it may end. */
  get endTokens(): ReadonlySet<Token> {
    return this.constraint.vocabulary.endTokens;
  }

  /** Nothing can follow. */
  get isOver(): boolean {
    return this.#state.isOver;
  }

  /** Why a row's mask was empty. */
  get error(): RealmError | undefined {
    return this.#error;
  }

  /** Goes on by the answer's next token, which was in its mask. */
  accept(token: Token): boolean {
    return this.#state.accept(token);
  }

  /** Goes on by answered[from, until). Throws `invalid_request` where one of them may not come. */
  goOn(answered: readonly Token[], from: number, until = answered.length): this {
    for (let i = from; i < until; i++) {
      if (this.#state.accept(answered[i]!)) continue;
      const which = `token ${answered[i]}, number ${i + 1} of the ${answered.length} that were answered before`;
      throw new RealmError('invalid_request', `answered: ${which}, breaks the constraint`, { param: 'answered' });
    }
    return this;
  }

  /** At most so many tokens for what must come: a guess, since bytes may be said in other tokens too. */
  forced(most: number): Token[] {
    const { trie, bytes } = this.constraint.vocabulary;
    const forced = this.#forced();
    const tokens: Token[] = [];
    if (!forced) return tokens;
    let at = 0;
    while (at < forced.bytes.length && tokens.length < most) {
      const longest = longestToken(trie, forced.bytes, at, forced.isWhole);
      if (longest === undefined) break;
      tokens.push(longest);
      at += bytes.at(longest)!.length;
    }
    if (forced.token !== undefined && at === forced.bytes.length && tokens.length < most) tokens.push(forced.token);
    return tokens;
  }

  /** The leading tokens of a guess that may come. */
  allowed(guess: readonly Token[]): Token[] {
    let count = 0;
    try {
      while (count < guess.length && this.#state.accept(guess[count]!)) count++;
    } catch {
      // What is too ambiguous behind a guess is no concern of the answer until it gets there.
    }
    this.#state.rollback(count);
    return guess.slice(0, count);
  }

  /** The masks of the row behind the answer and of one behind each token of `guess`, which is allowed. into: [1 + guess, words] */
  masks(guess: readonly Token[], into: Uint32Array, words: number): void {
    let accepted = 0;
    for (let row = 0; row <= guess.length; row++) {
      this.#mask(into.subarray(row * words, (row + 1) * words));
      if (row < guess.length && this.#state.accept(guess[row]!)) accepted++;
    }
    this.#state.rollback(accepted);
  }

  /** Another in the same place, or so many tokens before it. */
  fork(before = 0): ConstrainedAnswer {
    const state = this.#state.fork();
    state.rollback(before);
    return new ConstrainedAnswer(this.constraint, state);
  }

  #forced(): Forced | undefined {
    try {
      return this.#state.forced();
    } catch {
      return undefined;
    }
  }

  /** A row that no token may follow has an empty mask: the error is its request's alone. */
  #mask(row: Uint32Array): void {
    try {
      this.#state.mask(row);
    } catch (error) {
      row.fill(0);
      this.#error = asRealmError(error);
    }
  }
}
