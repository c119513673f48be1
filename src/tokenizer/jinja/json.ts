import type { Meter } from './limits.ts';
import { floatText, Writer } from './printing.ts';
import { compare, Dict, Stream, TemplateError, Tuple, typeName, type Value } from './values.ts';

export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** What each level adds to a line's beginning; without it there are no lines. */
  readonly indent: string | undefined;
  readonly separators: readonly [string, string];
  readonly sortKeys: boolean;
}

/** Python's `json.dumps`; undefined is null. */
export function toJson(value: Value, options: JsonOptions, meter: Meter): string {
  const out = new Writer(meter);
  write(value, '\n', options, out, meter);
  return out.text;
}

function write(value: Value, line: string, options: JsonOptions, out: Writer, meter: Meter): void {
  // `tools | map(…) | tojson` is a generator, which Python refuses.
  if (value instanceof Stream) write(value.rest(), line, options, out, meter);
  else if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    block('[', ']', items, line, options, out, (item, inner) => write(item, inner, options, out, meter));
  } else if (value instanceof Dict) {
    const pairs = value.pairs();
    if (options.sortKeys) pairs.sort(([a], [b]) => compare(a, b, meter));
    block('{', '}', pairs, line, options, out, ([key, item], inner) => {
      out.add(string(keyText(key), options) + options.separators[1]);
      write(item, inner, options, out, meter);
    });
  } else out.add(scalar(value, options));
}

function block<T>(
  open: string,
  close: string,
  items: readonly T[],
  line: string,
  options: JsonOptions,
  out: Writer,
  item: (item: T, line: string) => void,
): void {
  const inner = options.indent === undefined || items.length === 0 ? '' : line + options.indent;
  out.add(open + inner);
  out.all(items, options.separators[0] + inner, each => item(each, inner));
  out.add(inner === '' ? close : line + close);
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key !== null && typeof key === 'object')
    throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
  return plain(key);
}

function scalar(value: Value, options: JsonOptions): string {
  return typeof value === 'string' ? string(value, options) : plain(value);
}

function plain(value: Value): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'number') throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatText(value) : value < 0 ? '-Infinity' : 'Infinity';
}

function string(value: string, { ensureAscii }: JsonOptions): string {
  const json = JSON.stringify(value);
  if (!ensureAscii) return json;
  return json.replace(/[\x7f-\uffff]/g, unit =>
    unit === '\x7f' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
