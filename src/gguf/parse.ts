import { Cursor, named } from './cursor.ts';
import { escapeText } from './escape.ts';
import { limits } from './limits.ts';
import { refuse } from './refuse.ts';
import { checkPlaces, type Declared, leastTensorBytes, readTensor } from './tensors.ts';
import type { GgufValue, Metadata, Reader, TensorInfo } from './types.ts';
import { readValue } from './values.ts';

/** The validated header of one file; a split model has several. */
export interface Header {
  readonly version: number;
  readonly alignment: number;
  readonly metadata: Metadata;
  readonly tensors: readonly TensorInfo[];
}

/** Bytes of the shortest key and value: key length, one letter, value type, one byte. */
const leastPairBytes = 8 + 1 + 4 + 1;

/**
 * Reads and validates the header of a GGUF file, version 2 or 3, little-endian.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function parseHeader(reader: Reader, file = 0): Promise<Header> {
  const cursor = new Cursor(reader);
  const version = await readVersion(cursor);
  await cursor.fill(16);
  const tensorCount = cursor.count();
  const keyCount = cursor.count();
  checkCount(cursor, 'tensors', tensorCount, limits.tensors);
  checkCount(cursor, 'keys', keyCount, limits.keys);
  cursor.require(
    tensorCount * leastTensorBytes + keyCount * leastPairBytes,
    `a header of ${tensorCount} tensors and ${keyCount} keys`,
  );
  const metadata = await readMetadata(cursor, keyCount);
  const alignment = alignmentOf(metadata, reader.name);
  const declared = await readTensors(cursor, tensorCount);
  const start = Math.ceil(cursor.position / alignment) * alignment;
  checkPlaces(declared, reader.name, Math.max(0, reader.size - start), alignment);
  const tensors = declared.map(tensor => ({ ...tensor, file, offset: start + tensor.offset }));
  return { version, alignment, metadata, tensors };
}

async function readVersion(cursor: Cursor): Promise<number> {
  const { name } = cursor.reader;
  if (cursor.remaining < 24)
    refuse('gguf_truncated', name, `has ${cursor.remaining} bytes; a GGUF file has at least 24`);
  await cursor.fill(8);
  const magic = String.fromCharCode(...cursor.bytes(4));
  // Until now it may be any file of this machine: nothing of it is quoted.
  if (magic !== 'GGUF') refuse('gguf_invalid', name, 'is not a GGUF file: it does not begin with "GGUF"');
  const version = cursor.u32();
  if (version === 2 || version === 3) return version;
  if (version !== 0 && (version & 0xffff) === 0)
    refuse('gguf_invalid', name, 'is big-endian; convert it to little-endian');
  return refuse('gguf_invalid', name, `is GGUF version ${version}; versions 2 and 3 are read, convert it`);
}

function checkCount(cursor: Cursor, what: string, count: number, most: number): void {
  if (count > most) refuse('gguf_limit', cursor.reader.name, `declares ${count} ${what}; at most ${most} are read`);
}

async function readMetadata(cursor: Cursor, count: number): Promise<Metadata> {
  const metadata = new Map<string, GgufValue>();
  const budget = { elements: limits.arrayElements, nested: limits.nestedArrays };
  for (let i = 0; i < count; i++) {
    const key = await cursor.string(limits.keyBytes, () => `the name of key ${i}`);
    if (key === '') refuse('gguf_invalid', cursor.reader.name, `key ${i} has no name`);
    if (metadata.has(key)) refuse('gguf_invalid', cursor.reader.name, `${named('key', key)} occurs twice`);
    metadata.set(key, await readValue(cursor, key, budget));
  }
  return metadata;
}

function alignmentOf(metadata: Metadata, name: string): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  // A power of two shares no bit with its predecessor.
  if (typeof alignment === 'number' && alignment >= 1 && alignment <= 2 ** 30 && (alignment & (alignment - 1)) === 0)
    return alignment;
  return refuse(
    'gguf_invalid',
    name,
    `general.alignment is ${escapeText(String(alignment))}; it must be a power of two`,
  );
}

async function readTensors(cursor: Cursor, count: number): Promise<Declared[]> {
  const tensors: Declared[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const tensor = await readTensor(cursor);
    if (names.has(tensor.name))
      refuse('gguf_invalid', cursor.reader.name, `${named('tensor', tensor.name)} occurs twice`);
    names.add(tensor.name);
    tensors.push(tensor);
  }
  return tensors;
}
