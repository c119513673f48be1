import { bind, intArgument } from './arguments.ts';
import type { Meter } from './limits.ts';
import { changingMethod } from './own-lists.ts';
import { stringMethod } from './strings.ts';
import {
  Callable,
  characters,
  Dict,
  equal,
  sequence,
  TemplateError,
  Thing,
  Tuple,
  typeName,
  type Value,
  View,
} from './values.ts';

/** What changes a value in place; transformers' sandbox forbids it too, but templates do it to lists of their own. */
const CHANGING = new Set([
  'append',
  'clear',
  'extend',
  'insert',
  'pop',
  'popitem',
  'remove',
  'reverse',
  'setdefault',
  'sort',
  'update',
]);

/** `value.name`: a method or attribute, then an item of that name. */
export function attribute(value: Value, name: string, meter: Meter): Value {
  const own = ownAttribute(value, name, meter);
  return own === undefined ? item(value, name, meter, false) : own;
}

/** `value[key]`: an item, then a method or attribute of that name. */
export function item(value: Value, key: Value, meter: Meter, attributes = true): Value {
  if (value instanceof Dict) {
    if (!isKey(key)) return undefined;
    if (value.has(key)) return value.get(key);
  } else {
    const index = typeof key === 'boolean' ? Number(key) : typeof key === 'bigint' ? Number(key) : undefined;
    if (index !== undefined) return at(value, index);
  }
  return attributes && typeof key === 'string' ? ownAttribute(value, key, meter) : undefined;
}

function isKey(key: Value): boolean {
  return !Array.isArray(key) && !(key instanceof Dict);
}

function at(value: Value, index: number): Value {
  if (typeof value === 'string') return characters(value).at(index);
  return value instanceof View && value.type !== 'range' ? undefined : sequence(value)?.at(index);
}

/** A method or an attribute, without items. Names with an underscore first are Python's inside. */
export function ownAttribute(value: Value, name: string, meter: Meter): Value {
  if (name.startsWith('_')) return undefined;
  if (typeof value === 'string') {
    return stringMethod(value, name, meter, (of, key, isAttribute) =>
      isAttribute ? attribute(of, key as string, meter) : item(of, key, meter),
    );
  }
  if (value instanceof Thing || value instanceof Callable) return value.attributes.get(name);
  if (value instanceof Dict) return dictMethod(value, name);
  if (Array.isArray(value))
    return CHANGING.has(name) && !/^(popitem|setdefault|update)$/.test(name)
      ? (changingMethod(value, name, meter) ?? forbidden(name))
      : listMethod(value, name, meter);
  if (value instanceof Tuple) {
    const place = value.names.indexOf(name);
    return place >= 0 ? value.items[place] : listMethod(value.items, name, meter, ['count', 'index']);
  }
  if (typeof value === 'number' && name === 'is_integer') return method(name, '', () => Number.isInteger(value));
  return undefined;
}

function method(name: string, signature: string, run: (args: Value[], given: number) => Value): Callable {
  return new Callable(name, call => {
    if (call.named.size > 0) throw new TemplateError(`${name} takes no keyword arguments`);
    return run(bind(name, signature, call), call.positional.length);
  });
}

function forbidden(name: string): Callable {
  return new Callable(name, () => {
    throw new TemplateError(`${name} would change a value in place, which a template may not`);
  });
}

function dictMethod(dict: Dict, name: string): Value {
  switch (name) {
    case 'get':
      return method(name, 'key! default', ([key, fallback], given) =>
        dict.has(key) ? dict.get(key) : given > 1 ? fallback : null,
      );
    case 'items':
      return method(
        name,
        '',
        () =>
          new View(
            'dict_items',
            dict.pairs().map(pair => new Tuple(pair)),
          ),
      );
    case 'keys':
      return method(name, '', () => new View('dict_keys', dict.keys()));
    case 'values':
      return method(name, '', () => new View('dict_values', dict.values()));
    case 'copy':
      return method(name, '', () => new Dict(dict.pairs()));
    case 'clear':
    case 'pop':
    case 'popitem':
    case 'setdefault':
    case 'update':
      return forbidden(name);
    default:
      return undefined;
  }
}

function listMethod(items: readonly Value[], name: string, meter: Meter, names = ['copy', 'count', 'index']): Value {
  if (!names.includes(name)) return undefined;
  if (name === 'copy') return method(name, '', () => [...items]);
  if (name === 'count') {
    return method(name, 'value!', ([value]) => BigInt(items.filter(each => equal(each, value, meter)).length));
  }
  return method(name, 'value! start stop', ([value, start, stop]) => {
    const first = intArgument(start, 0);
    const part = items.slice(first, intArgument(stop, items.length));
    const place = part.findIndex(each => equal(each, value, meter));
    if (place < 0) throw new TemplateError('the value is not in the list');
    return BigInt(place + (first < 0 ? Math.max(0, items.length + first) : first));
  });
}

/** `value[start:stop:step]`. */
export function sliced(value: Value, start: Value, stop: Value, step: Value, meter: Meter): Value {
  const all =
    typeof value === 'string'
      ? characters(value)
      : value instanceof View && value.type !== 'range'
        ? undefined
        : sequence(value);
  if (!all) {
    if (value === undefined) throw new TemplateError('an undefined value cannot be sliced');
    return undefined;
  }
  if (![start, stop, step].every(isIndex)) return undefined;
  const by = intArgument(step, 1);
  if (by === 0) throw new TemplateError('slice step cannot be zero');
  meter.items(typeof value === 'string' ? 0 : all.length);
  meter.characters(all.length);
  const part = picked(
    all,
    bound(start, all.length, by > 0 ? 0 : all.length - 1, by),
    bound(stop, all.length, by > 0 ? all.length : -1, by),
    by,
  );
  if (typeof value === 'string') return part.join('');
  return Array.isArray(value) ? part : value instanceof View ? new View('range', part) : new Tuple(part);
}

function isIndex(value: Value): boolean {
  return value === undefined || value === null || typeof value === 'bigint' || typeof value === 'boolean';
}

function bound(value: Value, size: number, fallback: number, step: number): number {
  const index = intArgument(value, Number.NaN);
  if (Number.isNaN(index)) return fallback;
  const lowest = step > 0 ? 0 : -1;
  return Math.min(Math.max(index < 0 ? index + size : index, lowest), step > 0 ? size : size - 1);
}

function picked(all: readonly Value[], start: number, stop: number, step: number): Value[] {
  if (step === 1) return all.slice(start, Math.max(start, stop));
  const part: Value[] = [];
  for (let at = start; step > 0 ? at < stop : at > stop; at += step) part.push(all[at]);
  return part;
}

/** A callable, or the reason why not. */
export function callable(value: Value): Callable {
  if (value instanceof Callable) return value;
  if (value === undefined) throw new TemplateError('an undefined value is called');
  throw new TemplateError(`'${typeName(value)}' object is not callable`);
}
