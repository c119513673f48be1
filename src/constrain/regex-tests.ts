import { Derivatives } from './derivatives.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/** Nodes that all questions together may make; what is built may have {@link maxBuilt}. */
const maxAsked = 12_000;
const maxBuilt = 1_000_000;

/** Questions about regular expressions while more are made: derivatives know the bytes that were told apart before. */
export class RegexTests {
  readonly #regexes: RegexStore;
  #derivatives: Derivatives | undefined;
  #sets = 0;
  #asked = 0;

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
  }

  matches(regex: RegexId, text: string): boolean {
    return this.#ask(derivatives => derivatives.match(regex, new TextEncoder().encode(text)));
  }

  /** Whether no text matches. */
  isNothing(regex: RegexId): boolean {
    const node = this.#regexes.node(regex);
    if (node.nullable || node.plain) return regex === this.#regexes.nothing;
    return !this.#ask(derivatives => derivatives.isAlive(regex));
  }

  #ask(question: (derivatives: Derivatives) => boolean): boolean {
    const regexes = this.#regexes;
    const before = regexes.units;
    regexes.allow(maxAsked - this.#asked);
    try {
      return question(this.#current());
    } finally {
      this.#asked += regexes.units - before;
      regexes.allow(maxBuilt - before + this.#asked);
    }
  }

  /** Derivatives that know all bytes told apart. Sets that they make themselves, of others, tell no more apart. */
  #current(): Derivatives {
    const { sets } = this.#regexes;
    while (this.#derivatives && this.#sets < sets.count) {
      if (this.#splits(this.#derivatives, this.#sets)) break;
      this.#sets++;
    }
    if (!this.#derivatives || this.#sets < sets.count) {
      this.#derivatives = new Derivatives(this.#regexes);
      this.#sets = sets.count;
    }
    return this.#derivatives;
  }

  #splits({ classOf, samples }: Derivatives, set: number): boolean {
    const { sets } = this.#regexes;
    return classOf.some((byteClass, byte) => sets.has(set, byte) !== sets.has(set, samples[byteClass]!));
  }
}
