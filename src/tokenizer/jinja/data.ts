import { Callable, Dict, type Value } from './values.ts';

/** A value of JSON as a template sees it: whole numbers are ints. */
export function fromJson(value: unknown): Value {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJson);
  if (value instanceof Callable) return value;
  if (typeof value !== 'object' || value === null) return value as Value;
  return new Dict(Object.entries(value).map(([key, each]) => [key, fromJson(each)]));
}
