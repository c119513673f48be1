import { RealmError } from '../errors.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/** Derivatives that one question about emptiness may take. */
const maxSearch = 8_000;

/**
 * Brzozowski's derivatives by bytes: the regular expression of what may follow a byte. Bytes that no set of the
 * regular expressions tells apart are one class; make all regular expressions before this.
 */
export class Derivatives {
  readonly classOf: Uint8Array;
  /** A byte of each class. */
  readonly samples: readonly number[];
  readonly #regexes: RegexStore;
  readonly #known = new Map<number, RegexId>();
  readonly #alive = new Map<RegexId, boolean>();

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
    this.classOf = regexes.sets.classes();
    const samples: number[] = [];
    for (let byte = 255; byte >= 0; byte--) samples[this.classOf[byte]] = byte;
    this.samples = samples;
  }

  /** Forgets derivatives; they are found again when asked for. */
  forget(): void {
    this.#known.clear();
  }

  match(regex: RegexId, bytes: Uint8Array): boolean {
    let rest = regex;
    for (const byte of bytes) rest = this.by(rest, this.classOf[byte]);
    return this.#regexes.node(rest).nullable;
  }

  /** What may follow a byte of the class. */
  by(regex: RegexId, byteClass: number): RegexId {
    const regexes = this.#regexes;
    const node = regexes.node(regex);
    if (!regexes.sets.has(node.first, this.samples[byteClass])) return regexes.nothing;
    if (node.kind === 'bytes') return regexes.empty;
    const key = regex * 256 + byteClass;
    let rest = this.#known.get(key);
    if (rest === undefined) {
      rest = this.#derive(regex, byteClass);
      this.#known.set(key, rest);
    }
    return rest;
  }

  #derive(regex: RegexId, byteClass: number): RegexId {
    const regexes = this.#regexes;
    const node = regexes.node(regex);
    switch (node.kind) {
      case 'bytes':
      case 'empty':
        return regexes.nothing;
      case 'concat': {
        const rest = regexes.pair(this.by(node.head, byteClass), node.tail);
        return regexes.node(node.head).nullable ? regexes.or([rest, this.by(node.tail, byteClass)]) : rest;
      }
      case 'or': {
        const byte = this.samples[byteClass];
        const parts = node.parts.filter(part => regexes.sets.has(regexes.node(part).first, byte));
        return regexes.or(parts.map(part => this.by(part, byteClass)));
      }
      case 'and':
        return regexes.and(node.parts.map(part => this.by(part, byteClass)));
      case 'complement':
        return regexes.complement(this.by(node.part, byteClass));
      case 'repeat':
        return regexes.pair(
          this.by(node.part, byteClass),
          regexes.repeat(node.part, Math.max(node.min - 1, 0), node.max - 1),
        );
    }
    return node satisfies never;
  }

  /** Whether anything matches. */
  isAlive(regex: RegexId): boolean {
    if (regex === this.#regexes.nothing) return false;
    const node = this.#regexes.node(regex);
    if (node.plain || node.nullable) return true;
    let alive = this.#alive.get(regex);
    if (alive === undefined) {
      alive =
        node.kind === 'concat'
          ? this.isAlive(node.head) && this.isAlive(node.tail)
          : node.kind === 'repeat'
            ? this.isAlive(node.part)
            : this.#search(regex);
      this.#alive.set(regex, alive);
    }
    return alive;
  }

  /** Looks for a text that matches, and remembers for all it has met whether there is one. */
  #search(regex: RegexId): boolean {
    const from = new Map<RegexId, RegexId | undefined>([[regex, undefined]]);
    const stack = [regex];
    let steps = 0;
    while (stack.length > 0) {
      const next = stack.pop()!;
      const node = this.#regexes.node(next);
      if (node.nullable || node.plain || this.#alive.get(next)) {
        for (let at: RegexId | undefined = next; at !== undefined; at = from.get(at)) this.#alive.set(at, true);
        return true;
      }
      for (let byteClass = 0; byteClass < this.samples.length; byteClass++) {
        const rest = this.by(next, byteClass);
        if (rest === this.#regexes.nothing || from.has(rest) || this.#alive.get(rest) === false) continue;
        if (++steps > maxSearch) {
          throw new RealmError('grammar_limit', 'whether a regular expression matches anything takes too long to find');
        }
        from.set(rest, next);
        stack.push(rest);
      }
    }
    for (const dead of from.keys()) this.#alive.set(dead, false);
    return false;
  }
}

/** For tests: whether the bytes match. */
export function match(regexes: RegexStore, regex: RegexId, bytes: Uint8Array): boolean {
  return new Derivatives(regexes).match(regex, bytes);
}
