import { itemsOf, propertyOf, withoutNull } from '../schema/parts.ts';
import type { JsonSchema } from '../schema/types.ts';

/** A value of JSON as expressions see it: an integer is an int unless its schema says that it is a number. */
export function toCel(value: unknown, schema: JsonSchema): unknown {
  if (typeof value === 'number') {
    const plain = withoutNull(schema);
    const isDouble = typeof plain === 'object' && plain.type === 'number';
    return Number.isSafeInteger(value) && !isDouble ? BigInt(value) : value;
  }
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return value.map(each => toCel(each, items));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toCel(each, propertyOf(schema, key))]));
}

/** What an expression made as JSON has it. Throws for what JSON has not. */
export function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') return fromInteger(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${value} is no number of JSON`);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(fromCel);
  if (typeof value !== 'object' || value === null) return value;
  const primitive: unknown = value.valueOf();
  if (typeof primitive === 'bigint') return fromInteger(primitive);
  if (Object.getPrototypeOf(value) !== Object.prototype) throw new Error('bytes, types and durations are not JSON');
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fromCel(each)]));
}

function fromInteger(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`${value} is beyond the integers of JSON, which go to 2^53`);
  return number;
}
