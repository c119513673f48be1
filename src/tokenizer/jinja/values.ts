import { exceeded, type Meter } from './limits.ts';

/**
 * What a template computes with, after Python's types: `undefined` is Jinja2's undefined, `null` is None, a bigint is an
 * int and a number is a float.
 */
export type Value =
  | undefined
  | null
  | boolean
  | bigint
  | number
  | string
  | Value[]
  | Tuple
  | Dict
  | View
  | Stream
  | Thing
  | Callable;

export class Tuple {
  readonly items: readonly Value[];
  /** Names of the items, for a named tuple. */
  readonly names: readonly string[];

  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items;
    this.names = names;
  }
}

/** A dictionary in the order of insertion; keys that are equal in Python (1, 1.0, True) are one. */
export class Dict {
  readonly #pairs = new Map<unknown, readonly [Value, Value]>();

  constructor(pairs: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of pairs) this.set(key, value);
  }

  get size(): number {
    return this.#pairs.size;
  }

  get(key: Value): Value {
    return this.#pairs.get(hash(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#pairs.has(hash(key));
  }

  set(key: Value, value: Value): void {
    const place = hash(key);
    this.#pairs.set(place, [this.#pairs.get(place)?.[0] ?? key, value]);
  }

  pairs(): (readonly [Value, Value])[] {
    return [...this.#pairs.values()];
  }

  keys(): Value[] {
    return this.pairs().map(([key]) => key);
  }

  values(): Value[] {
    return this.pairs().map(([, value]) => value);
  }
}

/** What `range` and a dictionary's `keys`, `values` and `items` give. */
export class View {
  readonly type: 'range' | 'dict_keys' | 'dict_values' | 'dict_items';
  readonly items: readonly Value[];
  readonly printed: string | undefined;

  constructor(type: View['type'], items: readonly Value[], printed?: string) {
    this.type = type;
    this.items = items;
    this.printed = printed;
  }
}

/** A generator: it can be gone through once, and nobody knows its length. */
export class Stream {
  #items: Value[];
  #at = 0;

  constructor(items: Value[]) {
    this.#items = items;
  }

  next(): { value: Value } | undefined {
    return this.#at < this.#items.length ? { value: this.#items[this.#at++] } : undefined;
  }

  rest(): Value[] {
    const rest = this.#items.slice(this.#at);
    this.#items = [];
    this.#at = 0;
    return rest;
  }
}

/** An object of the engine's own that has attributes: a namespace, a loop. */
export class Thing {
  readonly type: string;
  readonly attributes: Map<string, Value>;

  constructor(type: string, attributes: Iterable<readonly [string, Value]>) {
    this.type = type;
    this.attributes = new Map(attributes);
  }
}

/** The arguments of a call. */
export interface Call {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export class Callable {
  readonly name: string;
  readonly call: (call: Call) => Value;
  readonly attributes: ReadonlyMap<string, Value>;

  constructor(name: string, call: (call: Call) => Value, attributes: Iterable<readonly [string, Value]> = []) {
    this.name = name;
    this.call = call;
    this.attributes = new Map(attributes);
  }
}

/** A failure that is the template's own fault, in words for its author. */
export class TemplateError extends Error {}

/** Items of a tuple that is a key, those of tuples in it included: one that holds itself many times is larger than it looks. */
const MAX_KEY_ITEMS = 1000;

/** What equal keys have in common. */
function hash(key: Value, budget = { items: MAX_KEY_ITEMS }): unknown {
  if (typeof key === 'boolean') return BigInt(key);
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : key;
  if (Array.isArray(key) || key instanceof Dict) throw new TemplateError(`unhashable type: '${typeName(key)}'`);
  if (!(key instanceof Tuple)) return key;
  for (const item of key.items) budget.items -= typeof item === 'string' ? 1 + item.length / 1000 : 1;
  if (budget.items < 0) throw exceeded('has a key of more than', MAX_KEY_ITEMS, 'items');
  return `\0(${key.items.map(item => `${typeof item}:${String(hash(item, budget))}`).join()})`;
}

export function typeName(value: Value): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'string') return 'str';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof Stream) return 'generator';
  if (value instanceof Callable) return 'function';
  return value.type;
}

export function truth(value: Value): boolean {
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Tuple || value instanceof View) return value.items.length > 0;
  return typeof value === 'object' ? value !== null : Boolean(value);
}

/** Numbers, and booleans as the ints that they are in Python. */
export function numeric(value: Value): bigint | number | undefined {
  if (typeof value === 'boolean') return BigInt(value);
  return typeof value === 'bigint' || typeof value === 'number' ? value : undefined;
}

export function isText(value: Value): value is string {
  return typeof value === 'string';
}

/** The items of a list, tuple or view, undefined for anything else. */
export function sequence(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof Tuple || value instanceof View ? value.items : undefined;
}

/** What a loop over the value goes through; undefined is empty. */
export function iterate(value: Value, meter: Meter): readonly Value[] {
  const items = iterable(value);
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  meter.items(items.length);
  return items;
}

function iterable(value: Value): readonly Value[] | undefined {
  if (value === undefined) return [];
  if (typeof value === 'string') return characters(value);
  if (value instanceof Dict) return value.keys();
  return value instanceof Stream ? value.rest() : sequence(value);
}

export function isIterable(value: Value): boolean {
  return value instanceof Stream || length(value) !== undefined;
}

/** `len()`, or undefined where there is none. */
export function length(value: Value): number | undefined {
  if (value === undefined) return 0;
  if (typeof value === 'string') return SURROGATES.test(value) ? characters(value).length : value.length;
  return value instanceof Dict ? value.size : sequence(value)?.length;
}

const SURROGATES = /[\ud800-\udfff]/;

/** A text's characters as Python counts them: code points. */
export function characters(text: string): string[] {
  return SURROGATES.test(text) ? Array.from(text) : text.split('');
}

/** Python's `==`. */
export function equal(a: Value, b: Value, meter: Meter): boolean {
  const [x, y] = [numeric(a), numeric(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: an int equals a float of the same value
  if (x !== undefined && y !== undefined) return x == y;
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length === b.length) meter.characters(a.length);
    return a === b;
  }
  meter.step(1 / 8);
  if (Array.isArray(a) && Array.isArray(b)) return equalItems(a, b, meter);
  if (a instanceof Tuple && b instanceof Tuple) return equalItems(a.items, b.items, meter);
  if (a instanceof View && b instanceof View && a.type === 'range' && b.type === 'range') {
    return equalItems(a.items, b.items, meter);
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.pairs().every(([key, value]) => b.has(key) && equal(value, b.get(key), meter));
  }
  return a === b;
}

function equalItems(a: readonly Value[], b: readonly Value[], meter: Meter): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i], meter));
}

/** Negative, 0 or positive; throws for what Python does not order, `operator` is for its words. */
export function compare(a: Value, b: Value, meter: Meter, operator = '<'): number {
  meter.step(1 / 8);
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN;
  if (typeof a === 'string' && typeof b === 'string') {
    meter.characters(Math.min(a.length, b.length));
    return compareText(a, b);
  }
  if (Array.isArray(a) && Array.isArray(b)) return compareItems(a, b, meter, operator);
  if (a instanceof Tuple && b instanceof Tuple) return compareItems(a.items, b.items, meter, operator);
  throw new TemplateError(`'${operator}' not supported between '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points: UTF-16 alone would put those above U+FFFF before U+E000. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    return codePointOrder(x) - codePointOrder(y);
  }
  return a.length - b.length;
}

function codePointOrder(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function compareItems(a: readonly Value[], b: readonly Value[], meter: Meter, operator: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (!equal(a[i], b[i], meter)) return compare(a[i], b[i], meter, operator);
  }
  return a.length - b.length;
}

/** Python's `in`. */
export function contains(container: Value, value: Value, meter: Meter): boolean {
  if (typeof container === 'string') {
    if (typeof value !== 'string') throw new TemplateError(`'in <string>' requires string, not ${typeName(value)}`);
    meter.characters(container.length);
    return container.includes(value);
  }
  if (container instanceof Dict) return container.has(value);
  return iterate(container, meter).some(item => equal(item, value, meter));
}
