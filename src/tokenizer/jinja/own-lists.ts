import { bind, intArgument } from './arguments.ts';
import type { Meter } from './limits.ts';
import { Callable, Dict, sequence, TemplateError, Tuple, type Value } from './values.ts';

/** Lists that a template has written itself. It may change these and no others: what it was given belongs to the caller. */
const own = new WeakSet<readonly Value[]>();

export function ownList(items: Value[]): Value[] {
  own.add(items);
  return items;
}

const signatures: Readonly<Record<string, string>> = {
  append: 'value!',
  extend: 'values!',
  insert: 'place! value!',
  pop: 'place',
};

/** A method that changes the list; undefined where there is none, or the list is not the template's own. */
export function changingMethod(list: Value[], name: string, meter: Meter): Callable | undefined {
  const signature = Object.hasOwn(signatures, name) ? signatures[name] : undefined;
  if (signature === undefined || !own.has(list)) return undefined;
  return new Callable(name, call => change(list, name, bind(name, signature, call), meter));
}

function change(list: Value[], name: string, [first, second]: Value[], meter: Meter): Value {
  if (name === 'pop') {
    const place = intArgument(first, -1);
    const at = place < 0 ? place + list.length : place;
    if (at < 0 || at >= list.length) throw new TemplateError('pop from where the list has nothing');
    return list.splice(at, 1)[0];
  }
  const values = name === 'append' ? [first] : name === 'insert' ? [second] : sequence(first);
  if (!values) throw new TemplateError('extend needs a list');
  meter.items(list.length + values.length);
  // A list in itself could be neither printed nor compared.
  if (values.some(value => holds(value, list, meter))) throw new TemplateError('a list cannot be put into itself');
  list.splice(name === 'insert' ? intArgument(first, 0) : list.length, 0, ...values);
  return null;
}

function holds(value: Value, list: readonly Value[], meter: Meter): boolean {
  if (value === list) return true;
  const inner =
    value instanceof Dict ? value.values() : Array.isArray(value) || value instanceof Tuple ? sequence(value) : [];
  meter.step(inner?.length ?? 0);
  return inner?.some(each => holds(each, list, meter)) ?? false;
}
