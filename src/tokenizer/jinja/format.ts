import { intArgument } from './arguments.ts';
import type { Meter } from './limits.ts';
import { floatText, repr, text } from './printing.ts';
import { type Call, Dict, length, numeric, sequence, TemplateError, Tuple, typeName, type Value } from './values.ts';

interface Spec {
  fill: string;
  align: string;
  sign: string;
  alternate: boolean;
  width: number;
  comma: string;
  precision: number | undefined;
  type: string;
}

const FIELD = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g;
const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([bcdeEfFgGnosxX%]?)$/u;
const PERCENT = /%(?:\(([^)]*)\))?([-+ 0#]*)(\d+|\*)?(?:\.(\d+))?[hlL]?([\s\S])?/g;

/** Python's `str.format`; `member` gives what `.name` and `[key]` in a field mean. */
export function formatBraces(
  pattern: string,
  call: Call,
  meter: Meter,
  member: (value: Value, key: Value, attribute: boolean) => Value,
): string {
  let automatic = 0;
  const field = (name: string): Value => {
    const [, first = '', rest = ''] = /^([^.[]*)([\s\S]*)$/.exec(name) ?? [];
    const key = first === '' ? automatic++ : /^\d+$/.test(first) ? Number(first) : first;
    let value = typeof key === 'number' ? at(call.positional, key) : named(call.named, key);
    for (const [, attribute, item] of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
      const isIndex = item !== undefined && /^\d+$/.test(item);
      value = member(value, attribute ?? (isIndex ? BigInt(item) : item), attribute !== undefined);
    }
    return value;
  };
  return made(pattern, FIELD, meter, (whole, name, conversion, spec = '') => {
    if (whole === '{{') return '{';
    if (whole === '}}') return '}';
    if (name === undefined) throw new TemplateError(`single '${whole}' encountered in format string`);
    let value = field(name);
    if (conversion) value = conversion === 's' ? text(value, meter) : repr(value, meter);
    return formatValue(
      value,
      spec.replace(/\{([^{}]*)\}/g, (_, inner: string) => text(field(inner), meter)),
      meter,
    );
  });
}

/** What stands for a match; a group that takes no part in it is undefined. */
type Piece = (whole: string, ...groups: (string | undefined)[]) => string;

/** A text with every match replaced, the meter told as it grows. */
function made(pattern: string, matcher: RegExp, meter: Meter, piece: Piece): string {
  let size = pattern.length;
  return pattern.replace(matcher, (whole: string, ...groups: (string | undefined)[]) => {
    const put = piece(whole, ...groups);
    size += put.length;
    meter.characters(size);
    return put;
  });
}

function at(values: readonly Value[], index: number): Value {
  if (index >= values.length) throw new TemplateError(`there is no argument ${index} for the format`);
  return values[index];
}

function named(values: ReadonlyMap<string, Value>, name: string): Value {
  if (!values.has(name)) throw new TemplateError(`there is no argument '${name}' for the format`);
  return values.get(name);
}

/** Python's `format(value, spec)`. */
export function formatValue(value: Value, spec: string, meter: Meter): string {
  if (spec === '') return text(value, meter);
  const match = SPEC.exec(spec);
  if (!match) throw new TemplateError(`invalid format specifier '${spec}'`);
  const [, fill, align = '', sign = '', alternate, zero, width, comma = '', precision, type = ''] = match;
  const options: Spec = {
    fill: fill ?? (zero ? '0' : ' '),
    align: align || (zero && typeof value !== 'string' ? '=' : ''),
    sign,
    alternate: alternate !== '',
    width: Number(width),
    comma,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  meter.characters(options.width);
  if (typeof value === 'string') return formatText(value, options);
  const number = type === '' && typeof value === 'boolean' ? undefined : numeric(value);
  if (number === undefined) {
    if (typeof value === 'boolean') return formatNumber(BigInt(value), { ...options, type: 'd' }, meter);
    throw new TemplateError(`unsupported format string passed to ${typeName(value)}.__format__`);
  }
  return formatNumber(number, options, meter);
}

function formatText(value: string, spec: Spec): string {
  if ((spec.type !== '' && spec.type !== 's') || spec.sign || spec.comma || spec.alternate || spec.align === '=')
    throw new TemplateError('the format specifier is for numbers, not for a string');
  return pad(spec.precision === undefined ? value : Array.from(value).slice(0, spec.precision).join(''), '', spec, '<');
}

function pad(digits: string, sign: string, { fill, align, width }: Spec, usual: string): string {
  const room = Math.max(0, width - length(sign + digits)!);
  switch (align || usual) {
    case '<':
      return sign + digits + fill.repeat(room);
    case '^':
      return fill.repeat(room >> 1) + sign + digits + fill.repeat(room - (room >> 1));
    case '=':
      return sign + fill.repeat(room) + digits;
    default:
      return fill.repeat(room) + sign + digits;
  }
}

const BASES: Record<string, number> = { b: 2, o: 8, x: 16, X: 16 };

function formatNumber(value: bigint | number, spec: Spec, meter: Meter): string {
  const { type, precision } = spec;
  const isInt = typeof value === 'bigint';
  if (
    type === 's' ||
    (!isInt && /[bcdoxX]/.test(type)) ||
    (isInt && precision !== undefined && /^[bcdoxXn]?$/.test(type))
  )
    throw new TemplateError(`the format code '${type}' does not fit a ${typeName(value)}`);
  if (type === 'c') return pad(String.fromCodePoint(Number(value)), '', spec, '<');
  const negative = value < 0 || Object.is(value, -0);
  const size = negative ? -value : value;
  const digits =
    typeof size === 'bigint' && /^[bdoxXn]?$/.test(type)
      ? intDigits(size, spec)
      : floatDigits(Number(size), spec, meter);
  const grouped = spec.comma ? digits.replace(/^\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, spec.comma)) : digits;
  return pad(grouped, negative ? '-' : spec.sign === '-' ? '' : spec.sign, spec, '>');
}

function intDigits(value: bigint, { type, alternate }: Spec): string {
  const digits = (alternate && BASES[type] ? `0${type}` : '') + value.toString(BASES[type] ?? 10);
  return type === 'X' ? digits.toUpperCase() : digits;
}

function floatDigits(value: number, { type, precision, alternate }: Spec, meter: Meter): string {
  if (!Number.isFinite(value)) return /[EFG]/.test(type) ? floatText(value).toUpperCase() : floatText(value);
  const places = precision ?? 6;
  meter.characters(places);
  switch (type) {
    case 'f':
    case 'F':
      return fixed(value, places);
    case '%':
      return `${fixed(value * 100, places)}%`;
    case 'e':
    case 'E':
      return exponential(value, places, type);
    case '':
      return precision === undefined ? floatText(value) : general(value, precision || 1, 'g', alternate, true);
    default:
      return general(value, places || 1, type === 'n' ? 'g' : type, alternate, false);
  }
}

function exponential(value: number, places: number, type: string): string {
  const [digits, exponent] = value.toExponential(Math.min(places, 100)).split('e');
  const power = Number(exponent);
  return `${digits}${type}${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function general(value: number, places: number, type: string, keepZeros: boolean, point: boolean): string {
  const power = value === 0 ? 0 : Number(value.toExponential(Math.min(places - 1, 100)).split('e')[1]);
  const scientific = power < -4 || power >= (point ? Math.max(places, 1) - 0 : places);
  const written = scientific
    ? exponential(value, places - 1, type === 'G' ? 'E' : 'e')
    : fixed(value, Math.max(0, places - 1 - power));
  if (keepZeros || !written.includes('.'))
    return point && !scientific && !written.includes('.') ? `${written}.0` : written;
  const trimmed = written.replace(/\.?0+(?=[eE]|$)/, '');
  return point && !/[.eE]/.test(trimmed) ? `${trimmed}.0` : trimmed;
}

/** A positive number with so many decimals; a tie goes to the even digit, as in Python. */
export function fixed(value: number, places: number): string {
  const within = Math.min(places, 100);
  const written = value < 1e21 ? value.toFixed(within) : BigInt(value) + (within > 0 ? `.${'0'.repeat(within)}` : '');
  const exact = value < 1e21 && within <= 38 ? value.toFixed(within + 60) : '';
  const after = exact.slice(exact.indexOf('.') + 1 + within);
  if (/^50*$/.test(after) && /[13579]$/.test(written)) {
    const down = exact.slice(0, exact.indexOf('.') + 1 + within);
    return (within === 0 ? down.slice(0, -1) : down) + '0'.repeat(places - within);
  }
  return written + '0'.repeat(places - within);
}

/** Python's `pattern % values`. */
export function formatPercent(pattern: string, values: Value, meter: Meter): string {
  const items = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let byName = false;
  const next = () => {
    if (used >= items.length) throw new TemplateError('not enough arguments for format string');
    return items[used++];
  };
  const result = made(pattern, PERCENT, meter, (...match: (string | undefined)[]) => {
    const [, name, flags = '', width, precision, type] = match;
    if (type === '%') return '%';
    if (type === undefined) throw new TemplateError('incomplete format');
    const stars = width === '*' ? String(intArgument(next(), 0)) : (width ?? '');
    if (name !== undefined) byName = true;
    if (name !== undefined && !(values instanceof Dict)) throw new TemplateError('format requires a mapping');
    if (name !== undefined && !(values as Dict).has(name)) throw new TemplateError(`the format needs '${name}'`);
    const value = name === undefined ? next() : (values as Dict).get(name);
    return percentField(value, flags, stars, precision, type, meter);
  });
  const leftOver = used < items.length && !byName && !(values instanceof Dict) && !isOneListLike(values);
  if (leftOver) throw new TemplateError('not all arguments converted during string formatting');
  return result;
}

/** Python does not mind a single list that no field takes, nor an undefined value. */
function isOneListLike(values: Value): boolean {
  return !(values instanceof Tuple) && (values === undefined || sequence(values) !== undefined);
}

function percentField(
  value: Value,
  flags: string,
  width: string,
  precision: string | undefined,
  type: string,
  meter: Meter,
): string {
  const align = flags.includes('-') ? '<' : '>';
  const spec = (zero: boolean) =>
    (zero && flags.includes('0') && align === '>' ? '0=' : align) +
    ((type !== 's' && /[+ ]/.exec(flags)?.[0]) || '') +
    (flags.includes('#') ? '#' : '') +
    width;
  const places = precision === undefined ? '' : `.${precision}`;
  if (type === 's' || type === 'r' || type === 'a') {
    return formatValue(type === 's' ? text(value, meter) : repr(value, meter), `${align}${width}${places}`, meter);
  }
  if (type === 'c')
    return formatValue(
      typeof value === 'string' ? value : String.fromCodePoint(Number(numeric(value))),
      align + width,
      meter,
    );
  const number = numeric(value);
  if (number === undefined) throw new TemplateError(`%${type} format: a number is required, not ${typeName(value)}`);
  if (/[diu]/.test(type)) {
    if (typeof number === 'number' && !Number.isFinite(number))
      throw new TemplateError('cannot convert float to integer');
    return formatValue(typeof number === 'bigint' ? number : BigInt(Math.trunc(number)), `${spec(true)}d`, meter);
  }
  if (/[xXo]/.test(type)) {
    if (typeof number !== 'bigint') throw new TemplateError(`%${type} format: an integer is required, not float`);
    return formatValue(number, spec(true) + type, meter);
  }
  if (!/[eEfFgG]/.test(type)) throw new TemplateError(`unsupported format character '${type}'`);
  return formatValue(Number(number), spec(true) + places + type, meter);
}
