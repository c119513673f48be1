import { bind, intArgument, textArgument } from './arguments.ts';
import { fixed, formatPercent } from './format.ts';
import { toJson } from './json.ts';
import type { Meter } from './limits.ts';
import { item, ownAttribute } from './members.ts';
import { binary, unary } from './operators.ts';
import { text } from './printing.ts';
import { capitalize, fileSize, join, padded, replace, splitLines, strip } from './strings.ts';
import { knownFilters, runTest } from './tests.ts';
import {
  type Call,
  characters,
  compare,
  Dict,
  equal,
  isIterable,
  iterate,
  length,
  numeric,
  sequence,
  Stream,
  TemplateError,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

type Filter = readonly [signature: string, run: (value: Value, args: Value[], meter: Meter) => Value];

/** Filters that lay text out for HTML or terminals, or that are not the same each time. */
const FOREIGN = ['pprint', 'random', 'striptags', 'urlize', 'wordwrap', 'xmlattr'];

const FILTERS: Record<string, Filter> = {
  abs: ['', value => absolute(value)],
  attr: ['name!', (value, [name], meter) => ownAttribute(value, textArgument(name), meter)],
  batch: [
    'linecount! fill_with',
    (value, [size, fill], meter) => new Stream(batches(iterate(value, meter), size, fill, meter)),
  ],
  capitalize: ['', (value, _, meter) => capitalize(text(value, meter))],
  center: ['width', (value, [width = 80n], meter) => padded(text(value, meter), width, undefined, meter, 'center')],
  dictsort: ['case_sensitive by reverse', (value, args, meter) => dictSort(value, args, meter)],
  escape: ['', (value, _, meter) => escaped(text(value, meter))],
  filesizeformat: ['binary', (value, [binary = false]) => fileSize(toFloat(value), truth(binary))],
  first: ['', (value, _, meter) => (value instanceof Stream ? value.next()?.value : iterate(value, meter)[0])],
  float: ['default', (value, [fallback = 0]) => parsed(value, fallback, toFloat)],
  groupby: ['attribute! default case_sensitive', (value, args, meter) => groups(value, args, meter)],
  indent: ['width first blank', (value, args, meter) => indented(value, args, meter)],
  int: [
    'default base',
    (value, [fallback = 0n, base = 10n]) => parsed(value, fallback, each => toInt(each, Number(base))),
  ],
  items: ['', value => new Stream(pairs(value))],
  join: ['d attribute', (value, [between = '', name], meter) => joined(value, between, name, meter)],
  last: ['', value => last(value)],
  length: ['', value => size(value)],
  list: ['', (value, _, meter) => [...iterate(value, meter)]],
  lower: ['', (value, _, meter) => text(value, meter).toLowerCase()],
  max: ['case_sensitive attribute', (value, args, meter) => extreme(value, args, meter, 1)],
  min: ['case_sensitive attribute', (value, args, meter) => extreme(value, args, meter, -1)],
  replace: [
    's! new! count',
    (value, [old, by, times], meter) =>
      replace(text(value, meter), text(old, meter), text(by, meter), intArgument(times, -1), meter),
  ],
  reverse: ['', (value, _, meter) => reversed(value, meter)],
  round: ['precision method', (value, [precision = 0n, method = 'common']) => rounded(value, precision, method)],
  forceescape: ['', (value, _, meter) => escaped(text(value, meter))],
  safe: ['', (value, _, meter) => text(value, meter)],
  slice: [
    'slices! fill_with',
    (value, [count, fill], meter) => new Stream(slices(iterate(value, meter), count, fill, meter)),
  ],
  sort: ['reverse case_sensitive attribute', (value, args, meter) => sort(value, args, meter)],
  string: ['', (value, _, meter) => text(value, meter)],
  sum: ['attribute start', (value, [name, start = 0n], meter) => sum(value, name, start, meter)],
  title: ['', (value, _, meter) => titled(text(value, meter))],
  tojson: ['ensure_ascii indent separators sort_keys', (value, args, meter) => json(value, args, meter)],
  trim: ['chars', (value, [chars], meter) => strip(text(value, meter), chars)],
  truncate: ['length killwords end leeway', (value, args) => truncated(value, args)],
  unique: ['case_sensitive attribute', (value, args, meter) => new Stream(unique(value, args, meter))],
  upper: ['', (value, _, meter) => text(value, meter).toUpperCase()],
  urlencode: ['', (value, _, meter) => urlEncoded(value, meter)],
  wordcount: ['', (value, _, meter) => BigInt(text(value, meter).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
};
for (const [other, name] of [
  ['count', 'length'],
  ['e', 'escape'],
])
  FILTERS[other] = FILTERS[name];

/** Filters whose arguments are a filter's or a test's own, or that care whether an undefined one was given. */
const OPEN: Record<string, (value: Value, call: Call, meter: Meter) => Value> = {
  d: (value, call) => withDefault(value, call),
  default: (value, call) => withDefault(value, call),
  format: (value, call, meter) => formatted(value, call, meter),
  map: (value, call, meter) => new Stream(mapped(value, call, meter)),
  select: (value, call, meter) => new Stream(selected(value, call, meter, true, false)),
  reject: (value, call, meter) => new Stream(selected(value, call, meter, false, false)),
  selectattr: (value, call, meter) => new Stream(selected(value, call, meter, true, true)),
  rejectattr: (value, call, meter) => new Stream(selected(value, call, meter, false, true)),
};
knownFilters([...Object.keys(FILTERS), ...Object.keys(OPEN), ...FOREIGN]);

export function runFilter(name: string, value: Value, call: Call, meter: Meter): Value {
  if (typeof value === 'string') meter.characters(value.length);
  const result = Object.hasOwn(OPEN, name) ? OPEN[name](value, call, meter) : closed(name, value, call, meter);
  return typeof result === 'string' ? meter.text(result) : Array.isArray(result) ? meter.list(result) : result;
}

function closed(name: string, value: Value, call: Call, meter: Meter): Value {
  if (!Object.hasOwn(FILTERS, name)) {
    const why = FOREIGN.includes(name)
      ? `the filter '${name}' cannot be used in a chat template`
      : `there is no filter named '${name}'`;
    throw new TemplateError(why);
  }
  const [signature, run] = FILTERS[name];
  return run(value, bind(name, signature, call), meter);
}

function withDefault(value: Value, call: Call): Value {
  const [fallback, falsy] = bind('default', 'default_value boolean', call);
  if (value !== undefined && (truth(value) || !truth(falsy))) return value;
  return call.positional.length > 0 || call.named.has('default_value') ? fallback : '';
}

function absolute(value: Value): Value {
  const number = unary('+', value) as bigint | number;
  return number < 0 || Object.is(number, -0) ? unary('-', number) : number;
}

function batches(items: readonly Value[], by: Value, fill: Value, meter: Meter): Value[] {
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

function slices(items: readonly Value[], by: Value, fill: Value, meter: Meter): Value[] {
  const count = intArgument(by, 0);
  if (count <= 0) throw new TemplateError('slice needs a positive number of slices');
  meter.items(count);
  const each = Math.floor(items.length / count);
  const longer = items.length % count;
  const result: Value[][] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + each + (i < longer ? 1 : 0);
    result.push(items.slice(at, end));
    if (fill !== undefined && fill !== null && i >= longer) result[i].push(fill);
    at = end;
  }
  return result;
}

/** What a filter that looks at an attribute looks at: a name, a path with dots, an index. */
function getter(name: Value, meter: Meter, fallback?: Value): (value: Value) => Value {
  if (name === undefined || name === null) return value => value;
  const path =
    typeof name === 'string' ? name.split('.').map(part => (/^\d+$/.test(part) ? BigInt(part) : part)) : [name];
  return value => {
    let found = value;
    for (const part of path) {
      if (found === undefined) throw new TemplateError(`an undefined value has no '${String(part)}'`);
      found = item(found, part, meter);
      if (found === undefined && fallback !== undefined) found = fallback;
    }
    return found;
  };
}

function foldCase(value: Value, caseSensitive: Value, meter: Meter): Value {
  return typeof value === 'string' && !truth(caseSensitive) ? meter.text(value.toLowerCase()) : value;
}

function sorted<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean, meter: Meter): T[] {
  const keyed = items.map(each => ({ each, key: key(each) }));
  const order = reverse ? -1 : 1;
  if (keyed.length === 1) return [...items];
  return keyed.sort((a, b) => order * compare(a.key, b.key, meter)).map(({ each }) => each);
}

function sort(value: Value, [reverse = false, caseSensitive = false, name]: Value[], meter: Meter): Value[] {
  const names = typeof name === 'string' ? name.split(',') : [name];
  const getters = names.map(each => getter(each, meter));
  // A list of keys, as in Jinja2: equal ones are not ordered, whatever they are.
  const key = (each: Value) => getters.map(get => foldCase(get(each), caseSensitive, meter));
  return sorted(iterate(value, meter), key, truth(reverse), meter);
}

function dictSort(value: Value, [caseSensitive = false, by = 'key', reverse = false]: Value[], meter: Meter): Value[] {
  if (by !== 'key' && by !== 'value') throw new TemplateError("dictsort goes by 'key' or by 'value'");
  const place = by === 'key' ? 0 : 1;
  if (!(value instanceof Dict)) throw new TemplateError(`dictsort needs a dictionary, not ${typeName(value)}`);
  const all = value.pairs().map(pair => new Tuple(pair));
  return sorted(all, pair => foldCase(pair.items[place], caseSensitive, meter), truth(reverse), meter);
}

function groups(value: Value, [name, fallback, caseSensitive = false]: Value[], meter: Meter): Value[] {
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

function unique(value: Value, [caseSensitive = false, name]: Value[], meter: Meter): Value[] {
  const get = getter(name, meter);
  const seen = new Dict();
  return iterate(value, meter).filter(each => {
    const key = foldCase(get(each), caseSensitive, meter);
    if (seen.has(key)) return false;
    seen.set(key, true);
    return true;
  });
}

function extreme(value: Value, [caseSensitive = false, name]: Value[], meter: Meter, order: number): Value {
  const get = getter(name, meter);
  const [first, ...rest] = iterate(value, meter);
  const key = (each: Value) => foldCase(get(each), caseSensitive, meter);
  return rest.reduce((best, each) => (order * compare(key(each), key(best), meter) > 0 ? each : best), first);
}

function sum(value: Value, name: Value, start: Value, meter: Meter): Value {
  if (typeof start === 'string') throw new TemplateError('sum cannot add strings: use join');
  return iterate(value, meter)
    .map(getter(name, meter))
    .reduce((total, each) => binary('+', total, each, meter), start);
}

function joined(value: Value, between: Value, name: Value, meter: Meter): string {
  const items = iterate(value, meter).map(getter(name, meter));
  return join(
    text(between, meter),
    items.map(each => text(each, meter)),
    meter,
  );
}

function last(value: Value): Value {
  if (typeof value === 'string') return characters(value).at(-1);
  if (value === undefined) return undefined;
  const items = value instanceof Dict ? value.keys() : sequence(value);
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not reversible`);
  return items.at(-1);
}

function size(value: Value): bigint {
  const found = length(value);
  if (found === undefined) throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
  return BigInt(found);
}

function reversed(value: Value, meter: Meter): Value {
  if (typeof value === 'string') return characters(value).reverse().join('');
  if (!isIterable(value)) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  return new Stream([...iterate(value, meter)].reverse());
}

function pairs(value: Value): Value[] {
  if (value === undefined) return [];
  if (!(value instanceof Dict)) throw new TemplateError('items needs a dictionary');
  return value.pairs().map(pair => new Tuple(pair));
}

function escaped(value: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
  return value.replace(/[&<>"']/g, character => entities[character]);
}

function titled(value: string): string {
  return value.replace(/[^-\s({[<]+/g, word => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase());
}

/** `fallback` where `convert` finds no number; what is undefined is an error. */
function parsed(value: Value, fallback: Value, convert: (value: Value) => Value): Value {
  if (value === undefined) throw new TemplateError('an undefined value is no number');
  try {
    return convert(value);
  } catch (error) {
    if (error instanceof TemplateError) return fallback;
    throw error;
  }
}

function toFloat(value: Value): number {
  if (typeof value === 'string') {
    const digits = strip(value).replace(/(?<=\d)_(?=\d)/g, '');
    if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(digits)) return Number(digits);
    if (/^[-+]?(inf(inity)?|nan)$/i.test(digits)) {
      return /nan/i.test(digits)
        ? Number.NaN
        : digits.startsWith('-')
          ? Number.NEGATIVE_INFINITY
          : Number.POSITIVE_INFINITY;
    }
  }
  const number = numeric(value);
  if (number === undefined) throw new TemplateError(`not a number: ${typeName(value)}`);
  return Number(number);
}

function toInt(value: Value, base: number): bigint {
  if (typeof value === 'string') {
    const whole = wholeNumber(strip(value).toLowerCase(), base);
    if (whole !== undefined) return whole;
  }
  const number = typeof value === 'string' ? toFloat(value) : numeric(value);
  if (typeof number === 'bigint') return number;
  if (number === undefined || !Number.isFinite(number)) throw new TemplateError('not a whole number');
  return BigInt(Math.trunc(number));
}

const PREFIXES: Record<number, string> = { 2: '0b', 8: '0o', 16: '0x' };

function wholeNumber(written: string, base: number): bigint | undefined {
  const [, sign, rest] = /^([-+]?)([\s\S]*)$/.exec(written)!;
  const digits = (PREFIXES[base] && rest.startsWith(PREFIXES[base]) ? rest.slice(2) : rest).replace(
    /(?<=\w)_(?=\w)/g,
    '',
  );
  if (digits === '' || digits.length > 4300 || [...digits].some(digit => !(Number.parseInt(digit, 36) < base)))
    return undefined;
  const size =
    base === 10
      ? BigInt(digits)
      : [...digits].reduce((total, digit) => total * BigInt(base) + BigInt(Number.parseInt(digit, 36)), 0n);
  return sign === '-' ? -size : size;
}

function rounded(value: Value, precision: Value, method: Value): Value {
  if (method !== 'common' && method !== 'ceil' && method !== 'floor')
    throw new TemplateError("round goes by 'common', 'ceil' or 'floor'");
  const number = numeric(value);
  if (number === undefined) throw new TemplateError(`not a number: ${typeName(value)}`);
  const places = intArgument(precision, 0);
  if (method !== 'common') {
    const factor = 10 ** places;
    return (Math[method](Number(number) * factor) + 0) / factor;
  }
  if (typeof number === 'bigint')
    return places >= 0 ? number : roundedInt(number, 10n ** BigInt(Math.min(-places, 4300)));
  if (!Number.isFinite(number) || places > 30) return number;
  const size = Math.abs(number);
  const result =
    places < 0
      ? Number(roundedInt(BigInt(Math.round(size)), 10n ** BigInt(Math.min(-places, 400))))
      : Number(fixed(size, places));
  return number < 0 || Object.is(number, -0) ? -result : result;
}

/** To the nearest multiple, a tie to the even one. */
function roundedInt(value: bigint, unit: bigint): bigint {
  const rest = ((value % unit) + unit) % unit;
  const down = value - rest;
  const up = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n !== 0n);
  return up ? down + unit : down;
}

function indented(value: Value, [width = 4n, first = false, blank = false]: Value[], meter: Meter): string {
  const spaces = typeof width === 'string' ? width : indentation(width, meter);
  const lines = splitLines(`${textArgument(value)}\n`, meter);
  meter.characters((value as string).length + lines.length * spaces.length);
  const made = lines.map((line, i) => (i > 0 && (truth(blank) || line !== '') ? spaces : '') + line).join('\n');
  return truth(first) ? spaces + made : made;
}

function truncated(value: Value, [limit = 255n, killWords = false, end = '...', leeway = 5n]: Value[]): Value {
  const most = intArgument(limit, 255);
  const tail = textArgument(end);
  if (most < length(tail)!) throw new TemplateError('truncate: the length is less than that of the end');
  if (size(value) <= most + intArgument(leeway, 5)) return value;
  const whole = characters(textArgument(value));
  const kept = whole.slice(0, most - length(tail)!).join('');
  const space = kept.lastIndexOf(' ');
  return (truth(killWords) || space < 0 ? kept : kept.slice(0, space)) + tail;
}

function json(value: Value, [ascii = false, indent, separators, sortKeys = false]: Value[], meter: Meter): string {
  const spaces =
    indent === undefined || indent === null
      ? undefined
      : typeof indent === 'string'
        ? indent
        : indentation(indent, meter);
  const given =
    separators === undefined || separators === null ? undefined : iterate(separators, meter).map(textArgument);
  if (given && given.length !== 2) throw new TemplateError('tojson needs two separators');
  const [items, keys] = given ?? [spaces === undefined ? ', ' : ',', ': '];
  return toJson(
    value,
    { ensureAscii: truth(ascii), indent: spaces, separators: [items, keys], sortKeys: truth(sortKeys) },
    meter,
  );
}

function indentation(width: Value, meter: Meter): string {
  const spaces = intArgument(width, 0);
  meter.characters(spaces);
  return ' '.repeat(Math.max(0, spaces));
}

function formatted(value: Value, call: Call, meter: Meter): string {
  if (call.positional.length > 0 && call.named.size > 0)
    throw new TemplateError('format takes values by place or by name, not both');
  const values = call.named.size > 0 ? new Dict(call.named) : new Tuple(call.positional);
  return formatPercent(text(value, meter), values, meter);
}

function urlEncoded(value: Value, meter: Meter): string {
  const quote = (part: Value, query: boolean) => {
    const percent = encodeURIComponent(text(part, meter)).replace(
      /[!'()*]/g,
      c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    return query ? percent.replaceAll('%20', '+') : percent.replaceAll('%2F', '/');
  };
  if (typeof value === 'string' || !isIterable(value)) return quote(value, false);
  const pairs = value instanceof Dict ? value.pairs() : iterate(value, meter).map(pair => iterate(pair, meter));
  return pairs
    .map(pair => {
      if (pair.length !== 2) throw new TemplateError('urlencode needs pairs');
      return `${quote(pair[0], true)}=${quote(pair[1], true)}`;
    })
    .join('&');
}

function mapped(value: Value, call: Call, meter: Meter): Value[] {
  const items = () => iterate(value, meter);
  if (!truth(value) && !(value instanceof Stream)) return [];
  const [first, ...rest] = call.positional;
  if (call.positional.length === 0) {
    const [name, fallback] = bind('map', 'attribute! default', call);
    return items().map(getter(name, meter, fallback));
  }
  const inner = { positional: rest, named: call.named };
  return items().map(each => runFilter(textArgument(first), each, inner, meter));
}

function selected(value: Value, call: Call, meter: Meter, wanted: boolean, byAttribute: boolean): Value[] {
  if (!truth(value) && !(value instanceof Stream)) return [];
  if (byAttribute && call.positional.length === 0) throw new TemplateError('missing parameter for attribute name');
  const get = byAttribute ? getter(call.positional[0], meter) : (each: Value) => each;
  const [test, ...rest] = call.positional.slice(byAttribute ? 1 : 0);
  const inner = { positional: rest, named: call.named };
  return iterate(value, meter).filter(each => {
    const looked = get(each);
    return (test === undefined ? truth(looked) : runTest(textArgument(test), looked, inner, meter)) === wanted;
  });
}
