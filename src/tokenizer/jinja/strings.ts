import { bind, intArgument, textArgument } from './arguments.ts';
import { fixed, formatBraces } from './format.ts';
import type { Meter } from './limits.ts';
import {
  type Call,
  Callable,
  characters,
  Dict,
  iterate,
  length,
  TemplateError,
  Tuple,
  typeName,
  type Value,
} from './values.ts';
import { lstrip, rstrip, WHITESPACE } from './whitespace.ts';

type Method = readonly [signature: string, run: (text: string, args: Value[], meter: Meter) => Value];

const LINE_END = /\r\n|[\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029]/g;

/** The methods of Python's `str` that templates can use; those that work on bytes or tables are not among them. */
const METHODS: Record<string, Method> = {
  capitalize: ['', text => capitalize(text)],
  casefold: ['', text => text.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ')],
  center: ['width! fill', (text, [width, fill], meter) => padded(text, width, fill, meter, 'center')],
  count: [
    'sub! start end',
    (text, [sub, start, end], meter) => BigInt(count(within(text, start, end), textArgument(sub), meter)),
  ],
  endswith: [
    'suffix! start end',
    (text, [suffix, start, end], meter) =>
      affix(suffix, 'endswith', each => within(text, start, end).endsWith(each), meter),
  ],
  expandtabs: ['tabsize', (text, [size], meter) => expandTabs(text, intArgument(size, 8), meter)],
  find: ['sub! start end', (text, args) => BigInt(find(text, args, false))],
  index: ['sub! start end', (text, args) => found(find(text, args, false))],
  isalnum: ['', text => /^[\p{L}\p{N}]+$/u.test(text)],
  isalpha: ['', text => /^\p{L}+$/u.test(text)],
  isascii: ['', text => /^[\0-\x7f]*$/.test(text)],
  isdecimal: ['', text => /^\p{Nd}+$/u.test(text)],
  isdigit: ['', text => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2089]+$/u.test(text)],
  isidentifier: ['', text => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(text)],
  islower: ['', text => isLower(text)],
  isnumeric: ['', text => /^\p{N}+$/u.test(text)],
  isprintable: ['', text => !/[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/u.test(text)],
  isspace: ['', text => text !== '' && lstrip(text) === ''],
  istitle: ['', text => /\p{L}/u.test(text) && title(text) === text],
  isupper: ['', text => isUpper(text)],
  join: ['iterable!', (text, [items], meter) => join(text, iterate(items, meter), meter)],
  ljust: ['width! fill', (text, [width, fill], meter) => padded(text, width, fill, meter, 'left')],
  lower: ['', text => text.toLowerCase()],
  lstrip: ['chars', (text, [chars]) => lstrip(text, stripped(chars))],
  partition: ['sep!', (text, [sep]) => partition(text, separator(sep), false)],
  removeprefix: [
    'prefix!',
    (text, [prefix]) => (text.startsWith(textArgument(prefix)) ? text.slice((prefix as string).length) : text),
  ],
  removesuffix: [
    'suffix!',
    (text, [suffix]) =>
      suffix !== '' && text.endsWith(textArgument(suffix)) ? text.slice(0, -(suffix as string).length) : text,
  ],
  replace: [
    'old! new! count',
    (text, [old, by, times], meter) =>
      replace(text, textArgument(old), textArgument(by), intArgument(times, -1), meter),
  ],
  rfind: ['sub! start end', (text, args) => BigInt(find(text, args, true))],
  rindex: ['sub! start end', (text, args) => found(find(text, args, true))],
  rjust: ['width! fill', (text, [width, fill], meter) => padded(text, width, fill, meter, 'right')],
  rpartition: ['sep!', (text, [sep]) => partition(text, separator(sep), true)],
  rsplit: ['sep maxsplit', (text, [sep, times], meter) => split(text, sep, intArgument(times, -1), true, meter)],
  rstrip: ['chars', (text, [chars]) => rstrip(text, stripped(chars))],
  split: ['sep maxsplit', (text, [sep, times], meter) => split(text, sep, intArgument(times, -1), false, meter)],
  splitlines: ['keepends', (text, [keep], meter) => splitLines(text, meter, keep === true)],
  startswith: [
    'prefix! start end',
    (text, [prefix, start, end], meter) =>
      affix(prefix, 'startswith', each => within(text, start, end).startsWith(each), meter),
  ],
  strip: ['chars', (text, [chars]) => strip(text, chars)],
  swapcase: ['', text => text.replace(/\p{L}/gu, c => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()))],
  title: ['', text => title(text)],
  upper: ['', text => text.toUpperCase()],
  zfill: ['width!', (text, [width], meter) => zeros(text, intArgument(width, 0), meter)],
};
/** What Python does not take by name. */
const NAMED = new Set(['split', 'rsplit', 'splitlines', 'expandtabs', 'replace']);

/** A string's method, or undefined if there is none of that name. */
export function stringMethod(
  text: string,
  name: string,
  meter: Meter,
  member: (value: Value, key: Value, attribute: boolean) => Value,
): Callable | undefined {
  if (name === 'format') return new Callable(name, call => meter.text(formatBraces(text, call, meter, member)));
  if (name === 'format_map') return new Callable(name, call => formatMap(text, call, meter, member));
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method) return undefined;
  const [signature, run] = method;
  return new Callable(name, call => {
    const [first] = call.named.keys();
    if (first !== undefined && !NAMED.has(name)) throw new TemplateError(`${name} takes no keyword arguments`);
    meter.characters(text.length);
    const result = run(text, bind(name, signature, call), meter);
    return typeof result === 'string' ? meter.text(result) : result;
  });
}

function formatMap(
  text: string,
  call: Call,
  meter: Meter,
  member: (value: Value, key: Value, attribute: boolean) => Value,
): string {
  const [mapping] = bind('format_map', 'mapping!', call);
  if (!(mapping instanceof Dict)) throw new TemplateError(`format_map needs a dictionary, not ${typeName(mapping)}`);
  const named = new Map(mapping.pairs().map(([key, value]) => [String(key), value] as const));
  return meter.text(formatBraces(text, { positional: [], named }, meter, member));
}

export function strip(text: string, chars?: Value): string {
  const set = stripped(chars);
  return lstrip(rstrip(text, set), set);
}

function stripped(chars: Value): string {
  return chars === undefined || chars === null ? WHITESPACE : textArgument(chars);
}

function separator(value: Value): string {
  const sep = textArgument(value);
  if (sep === '') throw new TemplateError('empty separator');
  return sep;
}

export function capitalize(text: string): string {
  const [first = ''] = text;
  return titleCased(first) + text.slice(first.length).toLowerCase();
}

/** The first letter as Python begins a word with it: `ǆ` becomes `ǅ`, `ß` becomes `Ss`. */
function titleCased(first: string): string {
  const upper = first.toUpperCase();
  return upper.length > first.length ? upper[0] + upper.slice(1).toLowerCase() : upper;
}

function title(text: string): string {
  return text.replace(/\p{L}+/gu, capitalize);
}

function isLower(text: string): boolean {
  return /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text);
}

function isUpper(text: string): boolean {
  return /\p{Lu}/u.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text);
}

/** The part of a text between two indices of characters. */
function within(text: string, start: Value, end: Value): string {
  if (start === undefined && end === undefined) return text;
  const all = characters(text);
  return all.slice(intArgument(start, 0), intArgument(end, all.length)).join('');
}

function affix(given: Value, name: string, has: (each: string) => boolean, meter: Meter): boolean {
  if (typeof given === 'string') return has(given);
  if (!(given instanceof Tuple))
    throw new TemplateError(`${name} needs a string or a tuple of them, not ${typeName(given)}`);
  meter.items(given.items.length);
  return given.items.some(each => has(textArgument(each)));
}

function count(text: string, sub: string, meter: Meter): number {
  if (sub === '') return length(text)! + 1;
  let times = 0;
  for (let at = text.indexOf(sub); at >= 0; at = text.indexOf(sub, at + sub.length)) times++;
  meter.step(times / 1024);
  return times;
}

function find(text: string, [sub, start, end]: Value[], last: boolean): number {
  const part = within(text, start, end);
  const at = last ? part.lastIndexOf(textArgument(sub)) : part.indexOf(textArgument(sub));
  if (at < 0) return -1;
  const first = intArgument(start, 0);
  return length(part.slice(0, at))! + (first < 0 ? Math.max(0, length(text)! + first) : first);
}

function found(at: number): bigint {
  if (at < 0) throw new TemplateError('substring not found');
  return BigInt(at);
}

export function join(between: string, items: readonly Value[], meter: Meter): string {
  let size = 0;
  for (const item of items) size += textArgument(item).length + between.length;
  meter.characters(Math.max(0, size - between.length));
  return items.join(between);
}

function partition(text: string, sep: string, last: boolean): Tuple {
  const at = last ? text.lastIndexOf(sep) : text.indexOf(sep);
  if (at < 0) return new Tuple(last ? ['', '', text] : [text, '', '']);
  return new Tuple([text.slice(0, at), sep, text.slice(at + sep.length)]);
}

export function replace(text: string, old: string, by: string, times: number, meter: Meter): string {
  const places = Math.min(count(text, old, meter), times < 0 ? Number.POSITIVE_INFINITY : times);
  meter.characters(Math.max(0, text.length + places * (by.length - old.length)));
  if (old === '') return between(characters(text), by, places);
  let made = '';
  let at = 0;
  for (let done = 0; done < places; done++) {
    const next = text.indexOf(old, at);
    made += text.slice(at, next) + by;
    at = next + old.length;
  }
  return made + text.slice(at);
}

function between(all: string[], by: string, places: number): string {
  const made = all.map((character, i) => (i < places ? by + character : character)).join('');
  return places > all.length ? made + by : made;
}

function split(text: string, sep: Value, times: number, fromEnd: boolean, meter: Meter): string[] {
  const limit = times < 0 ? Number.POSITIVE_INFINITY : times;
  const parts =
    sep === undefined || sep === null
      ? words(text, limit, fromEnd, meter)
      : pieces(text, separator(sep), limit, fromEnd);
  return meter.list(parts);
}

function pieces(text: string, sep: string, limit: number, fromEnd: boolean): string[] {
  const parts = text.split(sep);
  if (parts.length <= limit + 1) return parts;
  if (fromEnd) return [parts.slice(0, -limit || undefined).join(sep), ...(limit > 0 ? parts.slice(-limit) : [])];
  return [...parts.slice(0, limit), parts.slice(limit).join(sep)];
}

const WORD = new RegExp(`[^${WHITESPACE}]+`, 'g');

function words(text: string, limit: number, fromEnd: boolean, meter: Meter): string[] {
  const found: RegExpExecArray[] = [];
  for (const match of text.matchAll(WORD)) meter.room(found.push(match));
  if (found.length <= limit) return found.map(([word]) => word);
  if (fromEnd) {
    const kept = limit > 0 ? found.slice(-limit) : [];
    const last = found.at(-limit - 1);
    return [rstrip(text.slice(0, last && last.index + last[0].length)), ...kept.map(([word]) => word)];
  }
  return [...found.slice(0, limit).map(([word]) => word), text.slice(found[limit]?.index)];
}

export function splitLines(text: string, meter: Meter, keepEnds = false): string[] {
  const lines: string[] = [];
  let at = 0;
  for (const { 0: end, index } of text.matchAll(LINE_END)) {
    lines.push(text.slice(at, keepEnds ? index + end.length : index));
    at = index + end.length;
    meter.room(lines.length);
  }
  if (at < text.length) lines.push(text.slice(at));
  return lines;
}

export function padded(
  text: string,
  width: Value,
  fill: Value,
  meter: Meter,
  side: 'left' | 'right' | 'center',
): string {
  const wanted = intArgument(width, 0);
  const filler = fill === undefined ? ' ' : textArgument(fill);
  if (length(filler) !== 1) throw new TemplateError('the fill character must be exactly one character long');
  const room = Math.max(0, wanted - length(text)!);
  meter.characters(text.length + room * filler.length);
  const left = side === 'left' ? 0 : side === 'right' ? room : (room >> 1) + (room & wanted & 1);
  return filler.repeat(left) + text + filler.repeat(room - left);
}

function zeros(text: string, width: number, meter: Meter): string {
  const room = Math.max(0, width - length(text)!);
  meter.characters(text.length + room);
  const sign = /^[-+]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(room) + text.slice(sign.length);
}

function expandTabs(text: string, size: number, meter: Meter): string {
  meter.characters(text.length + count(text, '\t', meter) * Math.max(0, size));
  let column = 0;
  return text.replace(/\t|[\n\r]|[^\t\n\r]+/g, part => {
    if (part !== '\t') {
      column = /[\n\r]/.test(part) ? 0 : column + length(part)!;
      return part;
    }
    const spaces = size > 0 ? size - (column % size) : 0;
    column += spaces;
    return ' '.repeat(spaces);
  });
}

/** A size in bytes for people, as Jinja's `filesizeformat` has it. */
export function fileSize(bytes: number, binary: boolean): string {
  const base = binary ? 1024 : 1000;
  const prefixes = binary
    ? ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']
    : ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const power = prefixes.findIndex((_, i) => bytes < base ** (i + 2));
  const at = power < 0 ? prefixes.length - 1 : power;
  return `${fixed(bytes / base ** (at + 1), 1)} ${prefixes[at]}`;
}
