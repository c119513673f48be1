/**
 * Plain data as bytes: JSON, and behind it the arrays of numbers as they lie in memory. What JSON does not know is written as
 * an object with a `$`. Fields that are `undefined` are left out, as JSON does.
 */
import { listOf } from './list-of.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const arrays = { Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array } as const;
type ArrayKind = keyof typeof arrays;

/** What is written for what JSON does not know. */
type Special =
  /** Numbers behind the JSON: a list of integers, or an array of the type. */
  | { readonly $: 'integers' | ArrayKind; readonly at: number; readonly bytes: number }
  | { readonly $: 'map' | 'object'; readonly entries: readonly (readonly [string, unknown])[] }
  | { readonly $: 'bigint' | 'number'; readonly text: string };

/** Shorter lists of integers are as good in JSON. */
const longList = 16;

/** Bytes of the JSON's length, which goes first. */
const headBytes = 4;

export function encode(message: unknown): Uint8Array {
  const numbers = new Numbers();
  const json = JSON.stringify(message, function (this: Record<string, unknown>, key) {
    // Not the second argument: a Buffer's toJSON has been called for that.
    return written(this[key], numbers);
  });
  const text = encoder.encode(json);
  const bytes = new Uint8Array(headBytes + text.length + numbers.bytes);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, headBytes);
  numbers.copy(bytes, headBytes + text.length);
  return bytes;
}

export function decode(bytes: Uint8Array): unknown {
  const numbers = headBytes + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return restored(JSON.parse(decoder.decode(bytes.subarray(headBytes, numbers))), bytes.subarray(numbers));
}

/** A reviver would do the same, and take three times as long. */
function restored(value: unknown, numbers: Uint8Array): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key];
    const now = restored(inner, numbers);
    // Not an assignment: a key may be `__proto__`.
    if (now !== inner) Object.defineProperty(value, key, { ...plain, value: now });
  }
  return '$' in value ? read(value as Special, numbers) : value;
}

const plain = { configurable: true, enumerable: true, writable: true };

/** The arrays that go behind the JSON. */
class Numbers {
  bytes = 0;
  readonly #arrays: Uint8Array[] = [];

  add($: 'integers' | ArrayKind, { buffer, byteOffset, byteLength }: ArrayBufferView): Special {
    const special: Special = { $, at: this.bytes, bytes: byteLength };
    this.#arrays.push(new Uint8Array(buffer, byteOffset, byteLength));
    this.bytes += byteLength;
    return special;
  }

  copy(target: Uint8Array, at: number): void {
    for (const array of this.#arrays) {
      target.set(array, at);
      at += array.length;
    }
  }
}

function written(value: unknown, numbers: Numbers): unknown {
  if (typeof value === 'bigint') return { $: 'bigint', text: String(value) } satisfies Special;
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $: 'number', text: Object.is(value, -0) ? '-0' : String(value) } satisfies Special;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return written32(value, numbers) ?? value;
  for (const kind of Object.keys(arrays) as ArrayKind[])
    if (value instanceof arrays[kind]) return numbers.add(kind, value);
  if (value instanceof Map) return { $: 'map', entries: [...value] } satisfies Special;
  return '$' in value ? ({ $: 'object', entries: Object.entries(value) } satisfies Special) : value;
}

function read(special: Special, numbers: Uint8Array): unknown {
  switch (special.$) {
    case 'bigint':
      return BigInt(special.text);
    case 'number':
      return Number(special.text);
    case 'map':
      return new Map(special.entries);
    case 'object':
      return Object.fromEntries(special.entries);
    default: {
      const { buffer } = numbers.slice(special.at, special.at + special.bytes);
      return special.$ === 'integers' ? listOf(new Int32Array(buffer)) : new arrays[special.$](buffer);
    }
  }
}

/** Undefined for what is no long list of integers of 32 bits. */
function written32(list: readonly unknown[], numbers: Numbers): Special | undefined {
  if (list.length < longList) return undefined;
  const integers = new Int32Array(list.length);
  for (let i = 0; i < list.length; i++) {
    integers[i] = list[i] as number;
    if (!Object.is(integers[i], list[i])) return undefined;
  }
  return numbers.add('integers', integers);
}
