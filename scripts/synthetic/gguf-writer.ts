import { closeSync, openSync, writeSync } from 'node:fs';
import { byteLength, formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';

/** GGUF's metadata value types by their number in the file. */
export const valueTypes = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

type Scalar = Exclude<keyof typeof valueTypes, 'array'>;

/** A value as it is written: its type and its value, or its elements' type and its elements; nested arrays hold such values. */
export type MetaValue =
  | { readonly type: Scalar; readonly value: number | bigint | boolean | string }
  | { readonly array: Scalar; readonly values: ArrayLike<number | bigint | boolean | string> }
  | { readonly arrays: readonly MetaArray[] };
export type MetaArray = Exclude<MetaValue, { type: Scalar }>;

export interface TensorPlan {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: QuantType;
  /** Its bytes, in order, in pieces of any length. */
  readonly bytes: () => Iterable<Uint8Array>;
}

export interface GgufModel {
  readonly version?: number;
  readonly alignment?: number;
  readonly metadata: ReadonlyMap<string, MetaValue>;
  readonly tensors: readonly TensorPlan[];
}

/** Little-endian bytes, growing as they are written. */
export class ByteWriter {
  #buffer = new Uint8Array(1024);
  #view = new DataView(this.#buffer.buffer);
  length = 0;

  bytes(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number | bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u64(bytes.length).bytes(bytes);
  }

  scalar(type: Scalar, value: number | bigint | boolean | string): this {
    if (type === 'string') return this.string(String(value));
    const at = this.#grow(scalarBytes[type]);
    if (type === 'u64') this.#view.setBigUint64(at, BigInt(value), true);
    else if (type === 'i64') this.#view.setBigInt64(at, BigInt(value), true);
    else if (type === 'f32') this.#view.setFloat32(at, Number(value), true);
    else if (type === 'f64') this.#view.setFloat64(at, Number(value), true);
    else setInteger(this.#view, at, scalarBytes[type], Number(value));
    return this;
  }

  value(value: MetaValue): this {
    if ('type' in value) return this.u32(valueTypes[value.type]).scalar(value.type, value.value);
    return this.u32(valueTypes.array).array(value);
  }

  array(value: MetaArray): this {
    if ('arrays' in value) {
      this.u32(valueTypes.array).u64(value.arrays.length);
      for (const array of value.arrays) this.array(array);
    } else {
      this.u32(valueTypes[value.array]).u64(value.values.length);
      for (const each of Array.from(value.values)) this.scalar(value.array, each);
    }
    return this;
  }

  /** Zeros up to a multiple of `alignment`. */
  pad(alignment: number): this {
    this.#grow((alignment - (this.length % alignment)) % alignment);
    return this;
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.length);
  }

  /** Room for `bytes` more; where it starts. */
  #grow(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.#buffer.length));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

const scalarBytes = { u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 } as const;

/** Two's complement: the same bytes for signed and unsigned. */
function setInteger(view: DataView, at: number, bytes: number, value: number): void {
  if (bytes === 1) view.setInt8(at, value);
  else if (bytes === 2) view.setInt16(at, value, true);
  else view.setInt32(at, value, true);
}

/** Everything before the tensor data, padded. */
export function encodeHeader(model: GgufModel): Uint8Array<ArrayBuffer> {
  const { version = 3, alignment = 32, metadata, tensors } = model;
  const all = new Map(metadata);
  if (alignment !== 32) all.set('general.alignment', { type: 'u32', value: alignment });
  const out = new ByteWriter().bytes(new TextEncoder().encode('GGUF')).u32(version).u64(tensors.length).u64(all.size);
  for (const [key, value] of all) out.string(key).value(value);
  let offset = 0;
  for (const tensor of tensors) {
    out.string(tensor.name).u32(tensor.shape.length);
    for (const size of tensor.shape) out.u64(size);
    out.u32(formats[tensor.type].id).u64(offset);
    offset = Math.ceil((offset + tensorBytes(tensor)) / alignment) * alignment;
  }
  return out.pad(alignment).done();
}

function tensorBytes({ type, shape }: TensorPlan): number {
  return byteLength(
    type,
    shape.reduce((product, size) => product * size, 1),
  );
}

/** The file in pieces, none of them larger than what a tensor's plan yields. */
export function* encode(model: GgufModel): Generator<Uint8Array> {
  const { alignment = 32 } = model;
  yield encodeHeader(model);
  for (const tensor of model.tensors) {
    let written = 0;
    for (const piece of tensor.bytes()) {
      yield piece;
      written += piece.length;
    }
    if (written !== tensorBytes(tensor))
      throw new Error(`${tensor.name} has ${written} bytes, not ${tensorBytes(tensor)}`);
    yield new Uint8Array((alignment - (written % alignment)) % alignment);
  }
}

export function encodeGguf(model: GgufModel): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  for (const piece of encode(model)) out.bytes(piece);
  return out.done();
}

/** Writes the model to disk, a piece at a time; returns the file's length in bytes. */
export function writeGguf(path: string, model: GgufModel): number {
  const file = openSync(path, 'w');
  let length = 0;
  try {
    for (const piece of encode(model)) {
      for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done);
      length += piece.length;
    }
  } finally {
    closeSync(file);
  }
  return length;
}
