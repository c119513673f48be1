import { Derivatives } from './derivatives.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/** Questions about regular expressions while more are made: derivatives know the bytes that were told apart before. */
export class RegexTests {
  readonly #regexes: RegexStore;
  #derivatives: Derivatives | undefined;
  #sets = 0;

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
  }

  matches(regex: RegexId, text: string): boolean {
    return this.#current().match(regex, new TextEncoder().encode(text));
  }

  /** Whether no text matches. */
  isNothing(regex: RegexId): boolean {
    return !this.#current().isAlive(regex);
  }

  #current(): Derivatives {
    const { sets } = this.#regexes;
    if (this.#derivatives && this.#sets === sets.count) return this.#derivatives;
    this.#sets = sets.count;
    // Sets that derivatives themselves have made tell no more bytes apart.
    const classes = Math.max(...sets.classes()) + 1;
    if (this.#derivatives?.samples.length !== classes) this.#derivatives = new Derivatives(this.#regexes);
    return this.#derivatives!;
  }
}
