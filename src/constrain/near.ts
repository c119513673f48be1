import type { RegexId } from './regex.ts';
import type { RegexNode } from './regex-node.ts';
import type { RegexStore } from './regexes.ts';

/**
 * A regular expression that goes on like another for so many bytes: counts that no text of that length reaches are left
 * out. A mask looks no further than the longest token, so all places in a long bounded string have one mask.
 */
export class Near {
  readonly #regexes: RegexStore;
  readonly #bytes: number;
  readonly #known = new Map<RegexId, RegexId>();
  readonly #ends = new Map<RegexId, number>();

  constructor(regexes: RegexStore, bytes: number) {
    this.#regexes = regexes;
    this.#bytes = bytes;
  }

  of(regex: RegexId): RegexId {
    let near = this.#known.get(regex);
    if (near === undefined) {
      if (this.#known.size > 10_000) this.#known.clear();
      near = this.#find(regex);
      this.#known.set(regex, near);
    }
    return near;
  }

  #find(regex: RegexId): RegexId {
    const regexes = this.#regexes;
    const node = regexes.node(regex);
    if (node.kind === 'concat') return regexes.pair(this.of(node.head), this.of(node.tail));
    if (node.kind === 'repeat') {
      const max = node.max > this.#bytes ? Number.POSITIVE_INFINITY : node.max;
      // One more than the bytes: not reached, whatever the number was.
      return regexes.repeat(node.part, Math.min(node.min, this.#bytes + 1), max);
    }
    if (node.kind === 'or') return regexes.or(node.parts.map(part => this.of(part)));
    return node.kind === 'and' ? this.#counted(regex, node.parts) : regex;
  }

  /**
   * Whether an intersection matches anything depends on what is far. But where a text can be ended soon, wherever it has
   * got to, it can be ended before its characters are too many.
   */
  #counted(regex: RegexId, parts: readonly RegexId[]): RegexId {
    const regexes = this.#regexes;
    const char = regexes.countedIn(regex);
    const [text, counts] = this.#apart(parts, char);
    if (char === undefined || text === undefined || counts === undefined) return regex;
    const count = regexes.node(counts);
    const repeat = regexes.node(count.kind === 'concat' ? count.tail : counts) as Repeat;
    const { plain, nullable } = regexes.node(text);
    const isEnough = repeat.min === 0 || (repeat.min === 1 && count.kind === 'repeat' && !nullable);
    if (!plain || !isEnough || repeat.max <= this.#bytes + this.#toEnd(text)) return regex;
    const endless = regexes.repeat(char, repeat.min);
    const endlessly = count.kind === 'concat' ? regexes.pair(count.head, endless) : endless;
    return regexes.counting(char, regexes.and([this.of(text), endlessly]));
  }

  /** The two parts of an intersection: what is counted, and the count. */
  #apart(parts: readonly RegexId[], char: RegexId | undefined): readonly RegexId[] {
    const counts = parts.filter(part => {
      const node = this.#regexes.node(part);
      const repeat = node.kind === 'concat' ? this.#regexes.node(node.tail) : node;
      return repeat.kind === 'repeat' && repeat.part === char && repeat.max < Number.POSITIVE_INFINITY;
    });
    return parts.length === 2 && counts.length === 1 ? [...parts.filter(part => part !== counts[0]), ...counts] : [];
  }

  /** Wherever a text that matches has got to, it can be ended within so many bytes. Only for what is plain. */
  #toEnd(regex: RegexId): number {
    let bytes = this.#ends.get(regex);
    if (bytes === undefined) {
      if (this.#ends.size > 10_000) this.#ends.clear();
      bytes = this.#findEnd(regex);
      this.#ends.set(regex, bytes);
    }
    return bytes;
  }

  #findEnd(regex: RegexId): number {
    const regexes = this.#regexes;
    const node = regexes.node(regex);
    switch (node.kind) {
      case 'concat':
        return Math.max(this.#toEnd(node.head) + regexes.node(node.tail).least, this.#toEnd(node.tail));
      case 'repeat':
        return this.#toEnd(node.part) + regexes.node(node.part).least * Math.max(node.min - 1, 0);
      case 'or':
        return node.parts.reduce((most, part) => Math.max(most, this.#toEnd(part)), 0);
      default:
        return node.least;
    }
  }
}

type Repeat = Extract<RegexNode, { kind: 'repeat' }>;
