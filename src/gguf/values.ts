import { type Cursor, named } from './cursor.ts';
import { limits } from './limits.ts';
import { refuse } from './refuse.ts';
import type { GgufArray, GgufValue } from './types.ts';

type Numeric = Exclude<GgufArray, string[] | boolean[] | GgufArray[]>;

interface NumberType {
  readonly bytes: number;
  readonly read: (cursor: Cursor) => number | bigint;
  readonly array: new (buffer: ArrayBuffer) => Numeric;
}

const boolType = 7;
const stringType = 8;
const arrayType = 9;

/** GGUF's metadata value types that are numbers, by their number in the file. */
const numberTypes: Readonly<Record<number, NumberType>> = {
  0: { bytes: 1, read: c => c.u8(), array: Uint8Array },
  1: { bytes: 1, read: c => c.i8(), array: Int8Array },
  2: { bytes: 2, read: c => c.u16(), array: Uint16Array },
  3: { bytes: 2, read: c => c.i16(), array: Int16Array },
  4: { bytes: 4, read: c => c.u32(), array: Uint32Array },
  5: { bytes: 4, read: c => c.i32(), array: Int32Array },
  6: { bytes: 4, read: c => c.f32(), array: Float32Array },
  10: { bytes: 8, read: c => narrow(c.u64()), array: BigUint64Array },
  11: { bytes: 8, read: c => narrow(c.i64()), array: BigInt64Array },
  12: { bytes: 8, read: c => c.f64(), array: Float64Array },
};

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** What one file's arrays may still take; see {@link limits}. */
export interface Budget {
  elements: number;
  nested: number;
}

/** Reads the value of `key`: its type and then the value itself. */
export async function readValue(cursor: Cursor, key: string, budget: Budget): Promise<GgufValue> {
  await cursor.fill(4);
  const type = cursor.u32();
  const number = numberTypes[type];
  if (number) {
    await cursor.fill(number.bytes);
    return number.read(cursor);
  }
  if (type === boolType) {
    await cursor.fill(1);
    return readBoolean(cursor, key);
  }
  if (type === stringType) return cursor.string(limits.stringBytes, () => named('the value of', key));
  if (type === arrayType) return readArray(cursor, key, budget, 1);
  return refuse('gguf_invalid', cursor.reader.name, `${named('key', key)} has the unknown value type ${type}`);
}

async function readArray(cursor: Cursor, key: string, budget: Budget, depth: number): Promise<GgufArray> {
  await cursor.fill(12);
  const type = cursor.u32();
  const count = cursor.count();
  // A string is at least its length, an array its type and its count.
  const number = numberTypes[type];
  const bytes = number?.bytes ?? { [boolType]: 1, [stringType]: 8, [arrayType]: 12 }[type];
  if (!bytes) refuse('gguf_invalid', cursor.reader.name, `${named('array', key)} has the unknown element type ${type}`);
  cursor.require(count * bytes, `${named('array', key)} of ${count} elements`);
  budget.elements -= count;
  if (type === arrayType) budget.nested -= count;
  if (budget.elements < 0 || budget.nested < 0 || depth > limits.arrayDepth) tooMuch(cursor, key);
  if (type === stringType) return readStrings(cursor, count, key);
  if (type === boolType) return readBooleans(cursor, count, key);
  if (!number) return readArrays(cursor, count, key, budget, depth);
  await cursor.fill(count * bytes);
  return new number.array(cursor.bytes(count * bytes).buffer as ArrayBuffer);
}

function tooMuch(cursor: Cursor, key: string): never {
  const { arrayElements, nestedArrays, arrayDepth } = limits;
  const most = `${arrayElements} elements, ${nestedArrays} nested arrays, ${arrayDepth} levels`;
  return refuse(
    'gguf_limit',
    cursor.reader.name,
    `${named('array', key)} passes the limits for all arrays together: ${most}`,
  );
}

async function readStrings(cursor: Cursor, count: number, key: string): Promise<string[]> {
  const strings: string[] = [];
  const what = () => named(`element ${strings.length} of`, key);
  while (strings.length < count) {
    strings.push(cursor.bufferedString(limits.stringBytes, what) ?? (await cursor.string(limits.stringBytes, what)));
  }
  return strings;
}

async function readBooleans(cursor: Cursor, count: number, key: string): Promise<boolean[]> {
  await cursor.fill(count);
  const booleans: boolean[] = [];
  while (booleans.length < count) booleans.push(readBoolean(cursor, key));
  return booleans;
}

function readBoolean(cursor: Cursor, key: string): boolean {
  const byte = cursor.u8();
  if (byte > 1)
    refuse('gguf_invalid', cursor.reader.name, `${named('key', key)} holds a boolean that is neither 0 nor 1`);
  return byte === 1;
}

async function readArrays(
  cursor: Cursor,
  count: number,
  key: string,
  budget: Budget,
  depth: number,
): Promise<GgufArray[]> {
  const arrays: GgufArray[] = [];
  while (arrays.length < count) arrays.push(await readArray(cursor, key, budget, depth + 1));
  return arrays;
}
