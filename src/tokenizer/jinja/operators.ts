import { formatPercent } from './format.ts';
import type { Meter } from './limits.ts';
import { compare, contains, equal, numeric, TemplateError, Tuple, typeName, type Value } from './values.ts';

type Arithmetic = (a: bigint, b: bigint, meter: Meter) => bigint | number;

/** How ints and how floats are computed. */
const ARITHMETIC: Record<string, { ints: Arithmetic; floats: (a: number, b: number) => number }> = {
  '+': { ints: (a, b) => a + b, floats: (a, b) => a + b },
  '-': { ints: (a, b) => a - b, floats: (a, b) => a - b },
  '*': { ints: (a, b) => a * b, floats: (a, b) => a * b },
  '/': { ints: (a, b) => divide(Number(a), Number(b)), floats: divide },
  '//': { ints: floorDivide, floats: (a, b) => Math.floor(divide(a, b)) },
  '%': { ints: (a, b) => a - floorDivide(a, b) * b, floats: modulo },
  '**': { ints: power, floats: (a, b) => powerOfFloats(a, b) },
};

export function binary(operator: string, a: Value, b: Value, meter: Meter): Value {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) return arithmetic(operator, x, y, meter);
  if (operator === '%' && typeof a === 'string') return meter.text(formatPercent(a, b, meter));
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') return meter.joined(a, b);
    if (Array.isArray(a) && Array.isArray(b)) return meter.list(a.concat(b));
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple(meter.list([...a.items, ...b.items]));
  }
  if (operator === '*' && typeof y === 'bigint') return repeated(a, y, meter) ?? unsupported(operator, a, b);
  if (operator === '*' && typeof x === 'bigint') return repeated(b, x, meter) ?? unsupported(operator, a, b);
  return unsupported(operator, a, b);
}

function unsupported(operator: string, a: Value, b: Value): never {
  if (a === undefined || b === undefined) throw new TemplateError(`operator ${operator} on an undefined value`);
  throw new TemplateError(`unsupported operand types for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function arithmetic(operator: string, a: bigint | number, b: bigint | number, meter: Meter): Value {
  const kind = ARITHMETIC[operator];
  if (!kind) throw new TemplateError(`there is no operator ${operator}`);
  const { ints, floats } = kind;
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    const result = ints(a, b, meter);
    if (typeof result === 'bigint') meter.bits(bitsOf(result));
    return result;
  }
  return floats(Number(a), Number(b));
}

function bitsOf(value: bigint): number {
  return -0x8000_0000_0000_0000n <= value && value < 0x8000_0000_0000_0000n ? 64 : value.toString(16).length * 4;
}

function divide(a: number, b: number): number {
  if (b === 0) throw new TemplateError('division by zero');
  return a / b;
}

function floorDivide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new TemplateError('division by zero');
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function modulo(a: number, b: number): number {
  if (b === 0) throw new TemplateError('modulo by zero');
  const rest = a % b;
  if (rest === 0) return b > 0 ? 0 : -0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

function power(a: bigint, b: bigint, meter: Meter): bigint | number {
  if (b < 0n) return powerOfFloats(Number(a), Number(b));
  if (a > 1n || a < -1n)
    meter.bits(bitsOf(a) === 64 ? Math.log2(Math.abs(Number(a))) * Number(b) : bitsOf(a) * Number(b));
  return a ** b;
}

function powerOfFloats(a: number, b: number): number {
  if (a === 0 && b < 0) throw new TemplateError('zero cannot be raised to a negative power');
  const result = a ** b;
  if (Number.isNaN(result) && a < 0) throw new TemplateError('a root of a negative number');
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b)) throw new TemplateError('result too large');
  return result;
}

function repeated(value: Value, times: bigint, meter: Meter): Value {
  const count = Math.max(0, Number(times));
  if (typeof value === 'string') {
    meter.characters(value.length * count);
    return value === '' ? '' : value.repeat(count);
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (!items) return undefined;
  meter.items(items.length * count);
  const result = items.length === 0 ? [] : Array.from({ length: count }, () => items).flat();
  return Array.isArray(value) ? result : new Tuple(result);
}

export function unary(operator: string, value: Value): Value {
  const number = numeric(value);
  if (number === undefined) {
    if (value === undefined) throw new TemplateError(`operator ${operator} on an undefined value`);
    throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  }
  return operator === '-' ? -number : number;
}

export function comparison(operator: string, a: Value, b: Value, meter: Meter): boolean {
  switch (operator) {
    case '==':
      return equal(a, b, meter);
    case '!=':
      return !equal(a, b, meter);
    case 'in':
      return contains(b, a, meter);
    case 'not in':
      return !contains(b, a, meter);
    case '<':
      return compare(a, b, meter, operator) < 0;
    case '<=':
      return compare(a, b, meter, operator) <= 0;
    case '>':
      return compare(a, b, meter, operator) > 0;
    default:
      return compare(a, b, meter, operator) >= 0;
  }
}
