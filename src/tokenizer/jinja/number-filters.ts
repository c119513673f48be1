import { intArgument } from './arguments.ts';
import { fixed } from './format.ts';
import { unary } from './operators.ts';
import { strip } from './strings.ts';
import { numeric, TemplateError, typeName, type Value } from './values.ts';

export function absolute(value: Value): Value {
  const number = unary('+', value) as bigint | number;
  return number < 0 || Object.is(number, -0) ? unary('-', number) : number;
}

/** `fallback` where `convert` finds no number; what is undefined is an error. */
export function parsed(value: Value, fallback: Value, convert: (value: Value) => Value): Value {
  if (value === undefined) throw new TemplateError('an undefined value is no number');
  try {
    return convert(value);
  } catch (error) {
    if (error instanceof TemplateError) return fallback;
    throw error;
  }
}

export function toFloat(value: Value): number {
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

export function toInt(value: Value, base: number): bigint {
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

export function wholeNumber(written: string, base: number): bigint | undefined {
  const [, sign, rest = ''] = /^([-+]?)([\s\S]*)$/.exec(written) ?? [];
  const prefix = PREFIXES[base];
  const digits = (prefix && rest.startsWith(prefix) ? rest.slice(2) : rest).replace(/(?<=\w)_(?=\w)/g, '');
  if (digits === '' || digits.length > 4300 || [...digits].some(digit => !(Number.parseInt(digit, 36) < base)))
    return undefined;
  const size =
    base === 10
      ? BigInt(digits)
      : [...digits].reduce((total, digit) => total * BigInt(base) + BigInt(Number.parseInt(digit, 36)), 0n);
  return sign === '-' ? -size : size;
}

export function rounded(value: Value, precision: Value, method: Value): Value {
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
export function roundedInt(value: bigint, unit: bigint): bigint {
  const rest = ((value % unit) + unit) % unit;
  const down = value - rest;
  const up = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n !== 0n);
  return up ? down + unit : down;
}
