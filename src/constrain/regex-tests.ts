import { Derivatives } from './derivatives.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/** Nodes that all questions together may make; what is built may have {@link maxBuilt}. */
const maxAsked = 60_000;
const maxBuilt = 1_000_000;

/** Questions about regular expressions while more are made: derivatives know the bytes that were told apart before. */
export class RegexTests {
  readonly #regexes: RegexStore;
  #derivatives: Derivatives | undefined;
  /** What the derivatives tell apart all bytes of. */
  readonly #covered = new Set<RegexId>();
  #asked = 0;

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
  }

  matches(regex: RegexId, text: string): boolean {
    return this.#ask(regex, derivatives => derivatives.match(regex, new TextEncoder().encode(text)));
  }

  /** Whether no text matches. */
  isNothing(regex: RegexId): boolean {
    const node = this.#regexes.node(regex);
    if (node.nullable || node.plain) return regex === this.#regexes.nothing;
    return !this.#ask(regex, derivatives => derivatives.isAlive(regex));
  }

  #ask(regex: RegexId, question: (derivatives: Derivatives) => boolean): boolean {
    const regexes = this.#regexes;
    const before = regexes.units;
    regexes.allow(maxAsked - this.#asked);
    try {
      return question(this.#derivativesFor(regex));
    } finally {
      this.#asked += regexes.units - before;
      regexes.allow(maxBuilt - before + this.#asked);
    }
  }

  /** Derivatives that tell apart all bytes that the regular expression does. */
  #derivativesFor(regex: RegexId): Derivatives {
    if (!this.#derivatives || !this.#covers(this.#derivatives, regex)) {
      this.#derivatives = new Derivatives(this.#regexes);
      this.#covered.clear();
      this.#covers(this.#derivatives, regex);
    }
    return this.#derivatives;
  }

  #covers({ classOf, samples }: Derivatives, regex: RegexId): boolean {
    const { sets } = this.#regexes;
    const stack = [regex];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (this.#covered.has(id)) continue;
      this.#covered.add(id);
      const node = this.#regexes.node(id);
      if (node.kind === 'concat') stack.push(node.head, node.tail);
      else if (node.kind === 'or' || node.kind === 'and') stack.push(...node.parts);
      else if (node.kind === 'repeat' || node.kind === 'complement') stack.push(node.part);
      else if (node.kind === 'bytes') {
        const { set } = node;
        if (classOf.some((byteClass, byte) => sets.has(set, byte) !== sets.has(set, samples[byteClass]!))) return false;
      }
    }
    return true;
  }
}
