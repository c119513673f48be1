import { PairTable } from './pair-table.ts';

/** A set of strings of integer units (UTF-16 code units or bytes), each with a value; for longest-match searches. */
export class Trie {
  readonly #children = new PairTable(1024);
  readonly #values: number[] = [-1];

  insert(units: ArrayLike<number>, value: number): void {
    let node = 0;
    for (let i = 0; i < units.length; i++) {
      let next = this.#children.get(node, units[i]);
      if (next < 0) {
        next = this.#values.push(-1) - 1;
        this.#children.set(node, units[i], next);
      }
      node = next;
    }
    this.#values[node] = value;
  }

  /** The node that `unit` leads to from `node` (0 is the root), or -1. */
  child(node: number, unit: number): number {
    return this.#children.get(node, unit);
  }

  /** The value of the string that ends at `node`, or -1. */
  value(node: number): number {
    return this.#values[node];
  }

  /** The longest entry that begins at text[start], as its value and its end; value -1 when there is none. */
  longest(text: string, start: number): { value: number; end: number } {
    let best = { value: -1, end: start };
    let node = 0;
    for (let i = start; i < text.length; i++) {
      node = this.child(node, text.charCodeAt(i));
      if (node < 0) break;
      const value = this.#values[node];
      if (value >= 0) best = { value, end: i + 1 };
    }
    return best;
  }
}

/** The UTF-16 code units of `text`. */
export function codeUnits(text: string): Uint16Array {
  const units = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  return units;
}
