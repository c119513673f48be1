import { intArgument } from './arguments.ts';
import type { Meter } from './limits.ts';
import { item } from './members.ts';
import { binary } from './operators.ts';
import { text } from './printing.ts';
import { join } from './strings.ts';
import {
  characters,
  compare,
  Dict,
  equal,
  isIterable,
  iterate,
  length,
  Stream,
  sequence,
  TemplateError,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

export function batches(items: readonly Value[], by: Value, fill: Value, meter: Meter): Value[] {
  const size = intArgument(by, 0);
  const result: Value[][] = [];
  for (const each of items) {
    const current = result.at(-1);
    if (current && current.length !== size) current.push(each);
    else result.push([each]);
  }
  const end = result.at(-1);
  if (end && fill !== undefined && fill !== null && end.length < size) {
    meter.items(size);
    while (end.length < size) end.push(fill);
  }
  return result;
}

export function slices(items: readonly Value[], by: Value, fill: Value, meter: Meter): Value[] {
  const count = intArgument(by, 0);
  if (count <= 0) throw new TemplateError('slice needs a positive number of slices');
  meter.items(count);
  const each = Math.floor(items.length / count);
  const longer = items.length % count;
  const result: Value[][] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + each + (i < longer ? 1 : 0);
    const slice = items.slice(at, end);
    if (fill !== undefined && fill !== null && i >= longer) slice.push(fill);
    result.push(slice);
    at = end;
  }
  return result;
}

/** What a filter that looks at an attribute looks at: a name, a path with dots, an index. */
export function getter(name: Value, meter: Meter, fallback?: Value): (value: Value) => Value {
  if (name === undefined || name === null) return value => value;
  const path =
    typeof name === 'string' ? name.split('.').map(part => (/^\d+$/.test(part) ? BigInt(part) : part)) : [name];
  return value => {
    let found = value;
    for (const part of path) {
      if (found === undefined) throw new TemplateError(`an undefined value has no such attribute`);
      found = item(found, part, meter);
      if (found === undefined && fallback !== undefined) found = fallback;
    }
    return found;
  };
}

export function foldCase(value: Value, caseSensitive: Value, meter: Meter): Value {
  return typeof value === 'string' && !truth(caseSensitive) ? meter.text(value.toLowerCase()) : value;
}

export function sorted<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean, meter: Meter): T[] {
  const keyed = items.map(each => ({ each, key: key(each) }));
  const order = reverse ? -1 : 1;
  if (keyed.length === 1) return [...items];
  return keyed.sort((a, b) => order * compare(a.key, b.key, meter)).map(({ each }) => each);
}

export function sort(value: Value, [reverse = false, caseSensitive = false, name]: Value[], meter: Meter): Value[] {
  const names = typeof name === 'string' ? name.split(',') : [name];
  const getters = names.map(each => getter(each, meter));
  // A list of keys, as in Jinja2: equal ones are not ordered, whatever they are.
  const key = (each: Value) => getters.map(get => foldCase(get(each), caseSensitive, meter));
  return sorted(iterate(value, meter), key, truth(reverse), meter);
}

export function dictSort(
  value: Value,
  [caseSensitive = false, by = 'key', reverse = false]: Value[],
  meter: Meter,
): Value[] {
  if (by !== 'key' && by !== 'value') throw new TemplateError("dictsort goes by 'key' or by 'value'");
  const place = by === 'key' ? 0 : 1;
  if (!(value instanceof Dict)) throw new TemplateError(`dictsort needs a dictionary, not ${typeName(value)}`);
  const all = value.pairs().map(pair => new Tuple(pair));
  return sorted(all, pair => foldCase(pair.items[place], caseSensitive, meter), truth(reverse), meter);
}

export function groups(value: Value, [name, fallback, caseSensitive = false]: Value[], meter: Meter): Value[] {
  const get = getter(name, meter, fallback);
  const key = (each: Value) => foldCase(get(each), caseSensitive, meter);
  const result: { key: Value; items: Value[] }[] = [];
  for (const each of sorted(iterate(value, meter), key, false, meter)) {
    const current = result.at(-1);
    if (current && equal(current.key, key(each), meter)) current.items.push(each);
    else result.push({ key: key(each), items: [each] });
  }
  return result.map(group => new Tuple([get(group.items[0]), group.items], ['grouper', 'list']));
}

export function unique(value: Value, [caseSensitive = false, name]: Value[], meter: Meter): Value[] {
  const get = getter(name, meter);
  const seen = new Dict();
  return iterate(value, meter).filter(each => {
    const key = foldCase(get(each), caseSensitive, meter);
    if (seen.has(key)) return false;
    seen.set(key, true);
    return true;
  });
}

export function extreme(value: Value, [caseSensitive = false, name]: Value[], meter: Meter, order: number): Value {
  const get = getter(name, meter);
  const [first, ...rest] = iterate(value, meter);
  const key = (each: Value) => foldCase(get(each), caseSensitive, meter);
  return rest.reduce((best, each) => (order * compare(key(each), key(best), meter) > 0 ? each : best), first);
}

export function sum(value: Value, name: Value, start: Value, meter: Meter): Value {
  if (typeof start === 'string') throw new TemplateError('sum cannot add strings: use join');
  return iterate(value, meter)
    .map(getter(name, meter))
    .reduce((total, each) => binary('+', total, each, meter), start);
}

export function joined(value: Value, between: Value, name: Value, meter: Meter): string {
  const items = iterate(value, meter).map(getter(name, meter));
  return join(
    text(between, meter),
    items.map(each => text(each, meter)),
    meter,
  );
}

export function last(value: Value): Value {
  if (typeof value === 'string') return characters(value).at(-1);
  if (value === undefined) return undefined;
  const items = value instanceof Dict ? value.keys() : sequence(value);
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not reversible`);
  return items.at(-1);
}

export function size(value: Value): bigint {
  const found = length(value);
  if (found === undefined) throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
  return BigInt(found);
}

export function reversed(value: Value, meter: Meter): Value {
  if (typeof value === 'string') return characters(value).reverse().join('');
  if (!isIterable(value)) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  return new Stream([...iterate(value, meter)].reverse());
}

export function pairs(value: Value): Value[] {
  if (value === undefined) return [];
  if (!(value instanceof Dict)) throw new TemplateError('items needs a dictionary');
  return value.pairs().map(pair => new Tuple(pair));
}
