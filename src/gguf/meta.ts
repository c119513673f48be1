import { RealmError } from '../errors.ts';
import { escapeText } from './escape.ts';
import type { GgufValue, Metadata } from './types.ts';

export interface NumberOptions {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

/**
 * Typed access to metadata. Every accessor throws `model_invalid`, with the key as its param, when the key is missing or
 * its value is not what is asked for; the `maybe` ones return undefined when it is missing.
 */
export class Meta {
  readonly metadata: Metadata;
  /** The file's name, for messages. */
  readonly name: string;

  constructor(metadata: Metadata, name: string) {
    this.metadata = metadata;
    this.name = name;
  }

  has(key: string): boolean {
    return this.metadata.has(key);
  }

  /** A finite number within bounds. */
  number(key: string, options: NumberOptions = {}): number {
    return checkNumber(this, key, this.#required(key), options);
  }

  maybeNumber(key: string, options: NumberOptions = {}): number | undefined {
    const value = this.metadata.get(key);
    return value === undefined ? undefined : checkNumber(this, key, value, options);
  }

  string(key: string): string {
    return this.maybeString(key) ?? this.fail(key, 'is missing');
  }

  maybeString(key: string): string | undefined {
    const value = this.metadata.get(key);
    return value === undefined || typeof value === 'string' ? value : this.fail(key, 'must be a string');
  }

  boolean(key: string): boolean {
    return this.maybeBoolean(key) ?? this.fail(key, 'is missing');
  }

  maybeBoolean(key: string): boolean | undefined {
    const value = this.metadata.get(key);
    return value === undefined || typeof value === 'boolean' ? value : this.fail(key, 'must be true or false');
  }

  /** An array of strings, of `length` when that is given. */
  strings(key: string, length?: number): readonly string[] {
    return this.maybeStrings(key, length) ?? this.fail(key, 'is missing');
  }

  maybeStrings(key: string, length?: number): readonly string[] | undefined {
    const value = this.metadata.get(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.some(item => typeof item !== 'string'))
      this.fail(key, 'must be an array of strings');
    return this.#sized(key, value as string[], length);
  }

  /** An array of numbers (64-bit ones too, when they are safe integers), each within the bounds. */
  numbers(key: string, options: NumberOptions & { length?: number } = {}): ArrayLike<number> {
    return this.maybeNumbers(key, options) ?? this.fail(key, 'is missing');
  }

  maybeNumbers(key: string, options: NumberOptions & { length?: number } = {}): ArrayLike<number> | undefined {
    const value = this.metadata.get(key);
    if (value === undefined) return undefined;
    if (!ArrayBuffer.isView(value)) this.fail(key, 'must be an array of numbers');
    const numbers =
      value instanceof BigUint64Array || value instanceof BigInt64Array ? Array.from(value, Number) : value;
    for (const number of numbers) checkNumber(this, key, number, options);
    return this.#sized(key, numbers, options.length);
  }

  /** A number for each of `count` layers: the file has either one for all of them or an array. */
  perLayer(key: string, count: number, options: NumberOptions = {}): readonly number[] {
    if (!ArrayBuffer.isView(this.#required(key))) return new Array(count).fill(this.number(key, options));
    return Array.from(this.numbers(key, { ...options, length: count }));
  }

  /** Throws `model_invalid` about `key`. */
  fail(key: string, message: string): never {
    throw new RealmError('model_invalid', `${escapeText(this.name)}: "${escapeText(key)}" ${message}`, { param: key });
  }

  #required(key: string): GgufValue {
    return this.metadata.get(key) ?? this.fail(key, 'is missing');
  }

  #sized<T extends ArrayLike<unknown>>(key: string, array: T, length = array.length): T {
    return array.length === length ? array : this.fail(key, `has ${array.length} elements and must have ${length}`);
  }
}

function checkNumber(meta: Meta, key: string, value: GgufValue, options: NumberOptions): number {
  const { min = -Infinity, max = Infinity, integer = false } = options;
  if (typeof value === 'bigint') return meta.fail(key, `is ${value}, which is too large`);
  if (typeof value !== 'number') return meta.fail(key, `must be ${integer ? 'an integer' : 'a number'}`);
  if (!Number.isFinite(value)) return meta.fail(key, `is ${value} and must be finite`);
  if (integer && !Number.isSafeInteger(value)) return meta.fail(key, `is ${value} and must be an integer`);
  if (value < min || value > max) return meta.fail(key, `is ${value} and must be ${boundsOf(min, max)}`);
  return value;
}

function boundsOf(min: number, max: number): string {
  if (max === Infinity) return `at least ${min}`;
  return min === -Infinity ? `at most ${max}` : `from ${min} to ${max}`;
}
