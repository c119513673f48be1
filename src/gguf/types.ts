import type { QuantType } from '../quant/types.ts';

/** Random access to the bytes of one file. The file is never held whole in the JavaScript heap. */
export interface Reader {
  /** Name for messages: a path, a URL. */
  readonly name: string;
  /** Length in bytes when it was opened. */
  readonly size: number;
  /** Exactly `length` bytes at `offset`; throws `gguf_truncated` when the file no longer has them. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Fills `target` (which may view shared memory) with the bytes at `offset`; same error. */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** What a file can be given as: its path or URL, what a user picked in a browser, or its bytes; the last two as a list of all files of a split model. */
export type FileSource = string | URL | Blob | Uint8Array | readonly (Blob | Uint8Array)[];

/** Long arrays of numbers are typed ones. */
export type GgufArray =
  | string[]
  | boolean[]
  | GgufArray[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** 64-bit integers are numbers when they are safe integers and bigints otherwise. */
export type GgufValue = number | bigint | boolean | string | GgufArray;

export type Metadata = ReadonlyMap<string, GgufValue>;

/** A tensor of a model file. */
export interface TensorInfo {
  readonly name: string;
  /** ggml order: shape[0] is the contiguous dimension (the input width of a weight matrix). */
  readonly shape: readonly number[];
  readonly type: QuantType;
  /** Which of the split files holds it. */
  readonly file: number;
  /** Absolute offset of its first byte in that file. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly bytes: number;
}

/** A validated description of a model file (all its splits). */
export interface GgufFile {
  readonly version: number;
  readonly alignment: number;
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly readers: readonly Reader[];
  /** Bytes of all files together. */
  readonly size: number;
  close(): Promise<void>;
}
