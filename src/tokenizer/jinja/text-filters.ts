import { intArgument, textArgument } from './arguments.ts';
import { formatPercent } from './format.ts';
import { toJson } from './json.ts';
import type { Meter } from './limits.ts';
import { size } from './list-filters.ts';
import { text } from './printing.ts';
import { splitLines } from './strings.ts';
import {
  type Call,
  characters,
  Dict,
  isIterable,
  iterate,
  length,
  TemplateError,
  Tuple,
  truth,
  type Value,
} from './values.ts';

export function escaped(value: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
  return value.replace(/[&<>"']/g, character => entities[character] ?? character);
}

export function titled(value: string): string {
  return value.replace(/[^-\s({[<]+/g, word => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase());
}

export function indented(value: Value, [width = 4n, first = false, blank = false]: Value[], meter: Meter): string {
  const spaces = typeof width === 'string' ? width : indentation(width, meter);
  const lines = splitLines(`${textArgument(value)}\n`, meter);
  meter.characters((value as string).length + lines.length * spaces.length);
  const made = lines.map((line, i) => (i > 0 && (truth(blank) || line !== '') ? spaces : '') + line).join('\n');
  return truth(first) ? spaces + made : made;
}

export function truncated(value: Value, [limit = 255n, killWords = false, end = '...', leeway = 5n]: Value[]): Value {
  const most = intArgument(limit, 255);
  const tail = textArgument(end);
  if (most < length(tail)!) throw new TemplateError('truncate: the length is less than that of the end');
  if (size(value) <= most + intArgument(leeway, 5)) return value;
  const whole = characters(textArgument(value));
  const kept = whole.slice(0, most - length(tail)!).join('');
  const space = kept.lastIndexOf(' ');
  return (truth(killWords) || space < 0 ? kept : kept.slice(0, space)) + tail;
}

export function json(
  value: Value,
  [ascii = false, indent, separators, sortKeys = false]: Value[],
  meter: Meter,
): string {
  const spaces =
    indent === undefined || indent === null
      ? undefined
      : typeof indent === 'string'
        ? indent
        : indentation(indent, meter);
  const given =
    separators === undefined || separators === null ? undefined : iterate(separators, meter).map(textArgument);
  if (given && given.length !== 2) throw new TemplateError('tojson needs two separators');
  const [items = '', keys = ''] = given ?? [spaces === undefined ? ', ' : ',', ': '];
  return toJson(
    value,
    { ensureAscii: truth(ascii), indent: spaces, separators: [items, keys], sortKeys: truth(sortKeys) },
    meter,
  );
}

export function indentation(width: Value, meter: Meter): string {
  const spaces = intArgument(width, 0);
  meter.characters(spaces);
  return ' '.repeat(Math.max(0, spaces));
}

export function formatted(value: Value, call: Call, meter: Meter): string {
  if (call.positional.length > 0 && call.named.size > 0)
    throw new TemplateError('format takes values by place or by name, not both');
  const values = call.named.size > 0 ? new Dict(call.named) : new Tuple(call.positional);
  return formatPercent(text(value, meter), values, meter);
}

export function urlEncoded(value: Value, meter: Meter): string {
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
