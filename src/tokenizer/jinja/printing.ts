import type { Meter } from './limits.ts';
import { Callable, Dict, Stream, Thing, Tuple, type Value, View } from './values.ts';

/** Python's `str()`. */
export function text(value: Value, meter: Meter): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  return repr(value, meter);
}

/** Python's `repr()`. */
export function repr(value: Value, meter: Meter): string {
  const writer = new Writer(meter);
  write(value, writer);
  return writer.text;
}

/** Gathers a text piece by piece under the meter's eyes, since lists can hold one list many times. */
export class Writer {
  readonly #meter: Meter;
  text = '';

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  add(piece: string): void {
    this.text += piece;
    this.#meter.step(1 / 32);
    if (this.text.length > 1_000_000 || piece.length > 1024) this.#meter.characters(this.text.length);
  }

  all<T>(items: readonly T[], separator: string, item: (item: T) => void): void {
    items.forEach((each, i) => {
      if (i > 0) this.add(separator);
      item(each);
    });
  }
}

function write(value: Value, out: Writer): void {
  if (Array.isArray(value)) bracketed(value, '[', ']', out);
  else if (value instanceof Tuple) bracketed(value.items, '(', value.items.length === 1 ? ',)' : ')', out);
  else if (value instanceof Dict) {
    out.add('{');
    out.all(value.pairs(), ', ', ([key, item]) => {
      write(key, out);
      out.add(': ');
      write(item, out);
    });
    out.add('}');
  } else if (value instanceof View && value.printed === undefined) {
    out.add(`${value.type}(`);
    bracketed(value.items, '[', ']', out);
    out.add(')');
  } else if (value instanceof Thing && value.type === 'Namespace') {
    out.add('<Namespace ');
    write(new Dict(value.attributes), out);
    out.add('>');
  } else out.add(scalar(value));
}

function bracketed(items: readonly Value[], open: string, close: string, out: Writer): void {
  out.add(open);
  out.all(items, ', ', item => write(item, out));
  out.add(close);
}

function scalar(value: Value): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'string') return quoted(value);
  if (value instanceof View) return value.printed!;
  if (value instanceof Callable) return `<function ${value.name}>`;
  if (value instanceof Stream) return '<generator>';
  return value instanceof Thing ? `<${value.type}>` : String(value);
}

/** A float as Python writes it. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Object.is(value, -0)) return '-0.0';
  if (value === 0) return '0.0';
  const [digits = '', exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  if (power >= 0) return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value);
  const sign = value < 0 ? '-' : '';
  return `${sign}0.${'0'.repeat(-power - 1)}${digits.replace(/[-.]/g, '')}`;
}

const NAMED: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}\p{Zs}]/gu;

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = value.replace(UNPRINTABLE, character => {
    if (character === ' ') return ' ';
    const code = character.codePointAt(0)!;
    const hex = (width: number) => code.toString(16).padStart(width, '0');
    return NAMED[character] ?? (code < 0x100 ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`);
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
