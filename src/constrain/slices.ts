import type { Configuration } from './automaton.ts';
import type { Derivatives } from './derivatives.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';
import { notInSlices } from './vocabulary.ts';

/**
 * How many characters of slices may follow, whatever they are: found in the structure of regular expressions, so a
 * string of at most 65,536 characters is as cheap as an endless one. It may say less than is true, never more.
 */
export class SliceRoom {
  readonly #regexes: RegexStore;
  readonly #derivatives: Derivatives;
  readonly #char: RegexId;
  readonly #known = new Map<RegexId, number>();
  readonly #takesAny = new Map<RegexId, boolean>();

  /** `char`: {@link sliceChar} of the same store. */
  constructor(regexes: RegexStore, derivatives: Derivatives, char: RegexId) {
    this.#regexes = regexes;
    this.#derivatives = derivatives;
    this.#char = char;
  }

  in({ threads }: Configuration): number {
    return threads.reduce(
      (most, { state }) => state.rests.reduce((room, rest) => Math.max(room, this.#of(rest)), most),
      0,
    );
  }

  #of(regex: RegexId): number {
    let room = this.#known.get(regex);
    if (room === undefined) {
      if (this.#known.size > 10_000) this.#known.clear();
      room = this.#find(regex);
      this.#known.set(regex, room);
    }
    return room;
  }

  #find(regex: RegexId): number {
    const node = this.#regexes.node(regex);
    switch (node.kind) {
      case 'repeat':
        return this.#anyChar(node.part) ? node.max : 0;
      case 'concat': {
        const head = this.#of(node.head);
        return this.#regexes.node(node.head).nullable ? Math.max(head, this.#of(node.tail)) : head;
      }
      case 'or':
        return node.parts.reduce((room, part) => Math.max(room, this.#of(part)), 0);
      case 'and':
        return this.#endlessBut(node.parts);
      default:
        return 0;
    }
  }

  /**
   * Endless repetition that is valid UTF-8 and none of finitely many texts. What matches before any characters of a
   * slice matches behind them too, as often repeated as wanted, so something is always left.
   */
  #endlessBut(parts: readonly RegexId[]): number {
    const others = parts.filter(part => {
      const node = this.#regexes.node(part);
      return part !== this.#regexes.utf8 && !(node.kind === 'complement' && this.#regexes.node(node.part).finite);
    });
    if (others.length !== 1) return 0;
    const node = this.#regexes.node(others[0]);
    const head = this.#regexes.node(node.kind === 'concat' ? node.head : others[0]);
    const endless = head.kind === 'repeat' && head.max === Number.POSITIVE_INFINITY && this.#anyChar(head.part);
    return endless ? Number.POSITIVE_INFINITY : 0;
  }

  #anyChar(part: RegexId): boolean {
    let any = this.#takesAny.get(part);
    if (any === undefined) {
      any = !this.#derivatives.isAlive(this.#regexes.and([this.#char, this.#regexes.complement(part)]));
      this.#takesAny.set(part, any);
    }
    return any;
  }
}

export const sliceChar = (regexes: RegexStore): RegexId => regexes.notChars(notInSlices);
