/** Instances of MaskBench in the order of keys that a schema declares, as its own reorder.py finds it: by asking the engine. */
import type { Configuration } from '../src/constrain/automaton.ts';
import type { Constraint } from '../src/constrain/constraint.ts';

interface Written {
  readonly value: unknown;
  readonly at: Configuration;
}

/** The value with keys in an order that the constraint accepts; undefined where none is found. */
export function reorder(data: unknown, constraint: Constraint): unknown {
  return new Order(constraint).write(data, constraint.automaton.start)?.value;
}

/** Texts tried for one instance: nested objects are written again for each place that they may have. */
const maxTexts = 100_000;

class Order {
  readonly #constraint: Constraint;
  #texts = 0;

  constructor(constraint: Constraint) {
    this.#constraint = constraint;
  }

  write(value: unknown, from: Configuration): Written | undefined {
    if (Array.isArray(value)) return this.#array(value, from);
    const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): boolean };
    if (typeof value === 'object' && value !== null && !isRawJSON(value)) return this.#object(value, from);
    const at = this.#text(JSON.stringify(value), from);
    return at && { value, at };
  }

  #text(text: string, from: Configuration): Configuration | undefined {
    if (++this.#texts > maxTexts) return undefined;
    const { automaton } = this.#constraint;
    automaton.renew();
    let at: Configuration | null = from;
    for (const byte of new TextEncoder().encode(text)) {
      at = automaton.next(at, automaton.classOf[byte]!);
      if (!at) return undefined;
    }
    return at;
  }

  #array(items: readonly unknown[], from: Configuration): Written | undefined {
    let at = this.#text('[', from);
    const value: unknown[] = [];
    for (const [index, item] of items.entries()) {
      at = at && this.#text(index > 0 ? ',' : '', at);
      const written = at && this.write(item, at);
      if (!written) return undefined;
      value.push(written.value);
      ({ at } = written);
    }
    at = at && this.#text(']', at);
    return at && { value, at };
  }

  #object(object: object, from: Configuration): Written | undefined {
    const at = this.#text('{', from);
    const members = at && this.#members(Object.entries(object), at, false);
    const end = members && this.#text('}', members.at);
    return end && { value: Object.fromEntries(members.value), at: end };
  }

  /** First is tried of the keys that may come next that one behind which most of the others still may. */
  #members(
    left: readonly (readonly [string, unknown])[],
    from: Configuration,
    later: boolean,
  ): { value: [string, unknown][]; at: Configuration } | undefined {
    if (left.length === 0) return { value: [], at: from };
    const may = left.filter(([key]) => this.#key(key, from, later));
    const choices = may.flatMap(([key, value]) => {
      const written = this.#member(key, value, from, later);
      return written
        ? [{ key, written, open: left.filter(other => this.#key(other[0], written.at, true)).length }]
        : [];
    });
    for (const { key, written } of choices.sort((a, b) => b.open - a.open)) {
      const rest = this.#members(
        left.filter(other => other[0] !== key),
        written.at,
        true,
      );
      if (rest) return { value: [[key, written.value], ...rest.value], at: rest.at };
    }
    return undefined;
  }

  #member(key: string, value: unknown, from: Configuration, later: boolean): Written | undefined {
    const at = this.#key(key, from, later);
    return at && this.write(value, at);
  }

  #key(key: string, from: Configuration, later: boolean): Configuration | undefined {
    return this.#text(`${later ? ',' : ''}${JSON.stringify(key)}:`, from);
  }
}
