import type { RealmError } from '../errors.ts';
import { byteLength, formatOf, formats } from '../quant/formats.ts';
import { type Cursor, named } from './cursor.ts';
import { limits } from './limits.ts';
import { refuse } from './refuse.ts';
import type { TensorInfo } from './types.ts';

/** A tensor as the header declares it: `offset` counts from the start of the tensor data. */
export type Declared = Omit<TensorInfo, 'file'>;

/** Bytes of the shortest declaration: name length, one letter, dimension count, one dimension, type, offset. */
export const leastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

/** Reads the declaration of one tensor and checks its shape against its type. */
export async function readTensor(cursor: Cursor): Promise<Declared> {
  const name = await cursor.string(limits.nameBytes, () => 'the name of a tensor');
  const title = named('tensor', name);
  const fail = (message: string) => refuse('gguf_invalid', cursor.reader.name, `${title} ${message}`);
  if (name === '') fail('has no name');
  await cursor.fill(4);
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > limits.dimensions)
    fail(`has ${dimensions} dimensions; 1 to ${limits.dimensions} are known`);
  await cursor.fill(8 * dimensions + 12);
  const shape = Array.from({ length: dimensions }, cursor.count);
  if (shape.includes(0)) fail(`has an empty shape [${shape}]`);
  const type = typeOf(cursor, title);
  const { blockSize } = formats[type];
  const [rowLength = 0] = shape;
  if (rowLength % blockSize !== 0)
    fail(`has rows of ${rowLength} elements; ${type} stores them in blocks of ${blockSize}`);
  const bytes = byteLength(
    type,
    shape.reduce((product, size) => product * size, 1),
  );
  return { name, shape, type, offset: cursor.count(), bytes };
}

function typeOf(cursor: Cursor, title: string) {
  try {
    return formatOf(cursor.u32()).name;
  } catch (error) {
    const { code, message } = error as RealmError;
    return refuse(code, cursor.reader.name, `${title}: ${message}`);
  }
}

/**
 * Checks where the declared tensors lie: aligned, inside the file's data area and apart from each other.
 * A shape whose product is beyond 2^53 is not exact here, and is larger than any file.
 */
export function checkPlaces(tensors: readonly Declared[], name: string, dataBytes: number, alignment: number): void {
  let end = 0;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset)) {
    const title = named('tensor', tensor.name);
    const place = `${title} (${tensor.bytes} bytes at ${tensor.offset})`;
    if (tensor.offset % alignment !== 0) refuse('gguf_invalid', name, `${place} is not aligned to ${alignment}`);
    if (tensor.offset + tensor.bytes > dataBytes) {
      refuse(
        'gguf_truncated',
        name,
        `${place} lies outside the ${dataBytes} bytes of tensor data; download the file again`,
      );
    }
    if (tensor.offset < end) refuse('gguf_invalid', name, `${place} overlaps the tensor before it`);
    end = tensor.offset + tensor.bytes;
  }
}
