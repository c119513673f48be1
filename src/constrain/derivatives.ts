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
  /** Classes, those first that led to an end last. */
  #order: readonly number[];

  constructor(regexes: RegexStore) {
    this.#regexes = regexes;
    this.classOf = regexes.sets.classes();
    const samples: number[] = [];
    for (let byte = 255; byte >= 0; byte--) samples[this.classOf[byte]] = byte;
    this.samples = samples;
    this.#order = samples.map((_, byteClass) => byteClass);
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
        return regexes.counting(
          regexes.countedIn(regex),
          regexes.and(node.parts.map(part => this.by(part, byteClass))),
        );
      case 'complement':
        return regexes.complement(this.by(node.part, byteClass));
      case 'repeat':
        return regexes.pair(this.by(node.part, byteClass), regexes.oneLess(regex));
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

  /**
   * Looks for a text that matches, and remembers for all it has met whether there is one. It goes where the end comes
   * nearer first, and tries those classes first that have led there before: a quote ends most strings.
   */
  #search(regex: RegexId): boolean {
    const met = new Set([regex]);
    const path: Step[] = [{ regex, byteClass: -1, tried: 0, later: [] }];
    for (let at = path[0]; at; at = path[path.length - 1]) {
      const next = this.#nearer(at, met) ?? at.later.pop();
      if (next === undefined) {
        path.pop();
        continue;
      }
      path.push(next);
      if (this.#ends(next.regex)) {
        this.#remember(path);
        return true;
      }
      if (met.size > maxSearch) {
        throw new RealmError('grammar_limit', 'whether a regular expression matches anything takes too long to find');
      }
    }
    for (const dead of met) this.#alive.set(dead, false);
    return false;
  }

  #ends(regex: RegexId): boolean {
    const node = this.#regexes.node(regex);
    return node.nullable || node.plain || this.#alive.get(regex) === true;
  }

  /** The next one that is not met yet and has less to come, or may end; others are kept for later. */
  #nearer(at: Step, met: Set<RegexId>): Step | undefined {
    const { least } = this.#regexes.node(at.regex);
    while (at.tried < this.#order.length) {
      const byteClass = this.#order[at.tried++];
      const regex = this.by(at.regex, byteClass);
      if (regex === this.#regexes.nothing || met.has(regex) || this.#alive.get(regex) === false) continue;
      met.add(regex);
      const step = { regex, byteClass, tried: 0, later: [] };
      if (this.#regexes.node(regex).least < least || this.#ends(regex)) return step;
      at.later.push(step);
    }
    return undefined;
  }

  #remember(path: readonly Step[]): void {
    const lucky = new Set<number>();
    for (const { regex, byteClass } of path.toReversed()) {
      this.#alive.set(regex, true);
      if (byteClass >= 0) lucky.add(byteClass);
    }
    const others = this.#order.filter(byteClass => !lucky.has(byteClass));
    this.#order = [...lucky, ...others];
  }
}

/** Where a search is, by which class it came there, and how many classes it has tried from there. */
interface Step {
  readonly regex: RegexId;
  readonly byteClass: number;
  tried: number;
  readonly later: Step[];
}

/** For tests: whether the bytes match. */
export function match(regexes: RegexStore, regex: RegexId, bytes: Uint8Array): boolean {
  return new Derivatives(regexes).match(regex, bytes);
}
