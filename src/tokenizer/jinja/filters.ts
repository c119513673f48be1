import { bind, intArgument, textArgument } from './arguments.ts';
import type { Meter } from './limits.ts';
import {
  batches,
  dictSort,
  extreme,
  getter,
  groups,
  joined,
  last,
  pairs,
  reversed,
  size,
  slices,
  sort,
  sum,
  unique,
} from './list-filters.ts';
import { ownAttribute } from './members.ts';
import { absolute, parsed, rounded, toFloat, toInt } from './number-filters.ts';
import { text } from './printing.ts';
import { capitalize, fileSize, padded, replace, strip } from './strings.ts';
import { knownFilters, runTest } from './tests.ts';
import { escaped, formatted, indented, json, titled, truncated, urlEncoded } from './text-filters.ts';
import { type Call, iterate, Stream, TemplateError, truth, type Value } from './values.ts';

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
  count: ['', value => size(value)],
  dictsort: ['case_sensitive by reverse', (value, args, meter) => dictSort(value, args, meter)],
  e: ['', (value, _, meter) => escaped(text(value, meter))],
  escape: ['', (value, _, meter) => escaped(text(value, meter))],
  filesizeformat: ['binary', (value, [binary = false]) => fileSize(toFloat(value), truth(binary))],
  first: ['', (value, _, meter) => (value instanceof Stream ? value.next()?.value : iterate(value, meter)[0])],
  float: ['default', (value, [fallback = 0]) => parsed(value, fallback, toFloat)],
  groupby: ['attribute! default case_sensitive', (value, args, meter) => groups(value, args, meter)],
  indent: ['width first blank', (value, args, meter) => indented(value, args, meter)],
  int: [
    'default base',
    (value, [fallback = 0n, base = 10n]) => parsed(value, fallback, each => toInt(each, intArgument(base, 10))),
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
  const open = Object.hasOwn(OPEN, name) ? OPEN[name] : undefined;
  const result = open ? open(value, call, meter) : closed(name, value, call, meter);
  return typeof result === 'string' ? meter.text(result) : Array.isArray(result) ? meter.list(result) : result;
}

function closed(name: string, value: Value, call: Call, meter: Meter): Value {
  const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (!filter) {
    const why = FOREIGN.includes(name)
      ? `the filter '${name}' cannot be used in a chat template`
      : `there is no filter named '${name}'`;
    throw new TemplateError(why);
  }
  const [signature, run] = filter;
  return run(value, bind(name, signature, call), meter);
}

function withDefault(value: Value, call: Call): Value {
  const [fallback, falsy] = bind('default', 'default_value boolean', call);
  if (value !== undefined && (truth(value) || !truth(falsy))) return value;
  return call.positional.length > 0 || call.named.has('default_value') ? fallback : '';
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
