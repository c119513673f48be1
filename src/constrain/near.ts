import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/**
 * A regular expression that goes on like another for so many bytes: counts that no text of that length reaches are left
 * out. A mask looks no further than the longest token, so all places in a long bounded string have one mask.
 */
export class Near {
  readonly #regexes: RegexStore;
  readonly #bytes: number;
  readonly #known = new Map<RegexId, RegexId>();

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
    // Whether an intersection matches anything depends on what is far.
    return node.kind === 'or' ? regexes.or(node.parts.map(part => this.of(part))) : regex;
  }
}
