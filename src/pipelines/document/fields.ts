import { isMap, isPair, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml';
import { type Bounds, isWithin, outside } from '../../ranges.ts';
import type { Mistakes } from './mistakes.ts';
import { suggestion } from './near.ts';
import { type Text, textOf } from './text.ts';

/** A mapping of the document whose keys are known; what is wrong is written down, and read as if it were not there. */
export class Fields {
  readonly node: YAMLMap;
  readonly mistakes: Mistakes;
  readonly #source: string;
  readonly #pairs = new Map<string, Pair<Node, Node | null>>();

  constructor(node: YAMLMap, source: string, mistakes: Mistakes) {
    this.node = node;
    this.mistakes = mistakes;
    this.#source = source;
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key) || typeof pair.key.value !== 'string') {
        this.wrong(placeOf((pair as Pair).key as Node), 'a key must be a text');
      } else this.#pairs.set(pair.key.value, pair as Pair<Node, Node | null>);
    }
  }

  wrong(offset: number, what: string): void {
    this.mistakes.add(offset, what);
  }

  has(key: string): boolean {
    return this.#pairs.has(key);
  }

  get keys(): string[] {
    return [...this.#pairs.keys()];
  }

  /** Where the key stands, or the mapping that should have it. */
  at(key: string): number {
    return placeOf(this.#pairs.get(key)?.key ?? this.node);
  }

  /** Names all keys that are not among `known`. */
  only(known: readonly string[], what: string): void {
    for (const key of this.keys) {
      if (!known.includes(key)) this.wrong(this.at(key), `${what} has no '${key}'${suggestion(key, known)}`);
    }
  }

  get(key: string): Node | undefined {
    return this.#pairs.get(key)?.value ?? undefined;
  }

  /** The value as JSON has it. */
  json(key: string): unknown {
    return toJson(this.get(key));
  }

  text(key: string, { required = false }: { required?: boolean } = {}): Text | undefined {
    const node = this.get(key);
    if (!node) {
      if (required) this.wrong(this.at(key), `'${key}' is missing`);
      return undefined;
    }
    const text = textOf(node, this.#source);
    if (!text) this.wrong(placeOf(node), `'${key}' must be a text`);
    return text;
  }

  number(key: string, bounds: Bounds): number | undefined {
    const node = this.get(key);
    if (!node) return undefined;
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'number' && isWithin(value, bounds)) return value;
    this.wrong(placeOf(node), `'${key}' ${outside(isScalar(node) ? String(value) : 'a list or a mapping', bounds)}`);
    return undefined;
  }

  /** A text for each item; a text alone is a list of one. */
  texts(key: string): Text[] {
    const node = this.get(key);
    if (!node) return [];
    const items = isSeq(node) ? (node.items as Node[]) : [node];
    return items.flatMap(item => {
      const text = textOf(item, this.#source);
      if (!text) this.wrong(placeOf(item), `'${key}' must be a text or a list of texts`);
      return text ?? [];
    });
  }

  fields(key: string): Fields | undefined {
    const node = this.get(key);
    if (!node) return undefined;
    if (isMap(node)) return new Fields(node, this.#source, this.mistakes);
    this.wrong(placeOf(node), `'${key}' must be a mapping`);
    return undefined;
  }

  /** The mappings of a list. */
  list(key: string): Fields[] {
    const node = this.get(key);
    if (!node) return [];
    if (!isSeq(node)) {
      this.wrong(placeOf(node), `'${key}' must be a list`);
      return [];
    }
    return (node.items as Node[]).flatMap(item => {
      if (isMap(item)) return new Fields(item, this.#source, this.mistakes);
      this.wrong(placeOf(item), `'${key}' must be a list of mappings`);
      return [];
    });
  }
}

export function placeOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}

/** As JSON has it: what only YAML can say (dates, sets) has become text before. */
export function toJson(node: Node | undefined): unknown {
  return node === undefined ? undefined : JSON.parse(JSON.stringify((node as Scalar).toJSON() ?? null));
}
