import type { Field, Scales } from './fields.ts';
import type { Words } from './packing.ts';
import type { PartScales, Weights } from './weights.ts';

/**
 * One quantisation format. A file names the fields of its block and says what their bits mean; decoder, the integers that
 * the reference multiplies, scales, the kernels' layout and their offsets follow from that.
 */
export interface QuantFormat<Name extends string = string> {
  readonly name: Name;
  /** ggml's type number in a GGUF file. */
  readonly id: number;
  /** Elements in a block. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** In the order of the block. */
  readonly fields: Readonly<Record<string, Field>>;
  readonly scales: Scales;
  /** The block's words in the order in which the kernels want them. */
  readonly packing: readonly Words[];
  /** Absent: the elements are floats. */
  readonly integers?: Integers;
  /** The same integers and scales as kernels keep them, in bytes that are faster to read; absent: as the file has them. */
  readonly expanded?: QuantFormat;
  /** Decodes `count` elements (a multiple of blockSize) of `source`, in f32 arithmetic as ggml does it. */
  decode(source: Uint8Array, target: Float32Array, count: number): void;
}

/** What a block of integers is made of. */
export interface Integers {
  readonly weights: Weights;
  /** Activations that share a scale where they are multiplied with these. */
  readonly inputBlock: 32 | 256;
  readonly parts?: PartScales;
  /** Names of fields. */
  readonly scale: string;
  /** A power of two that the block's scale is multiplied with. */
  readonly factor: number;
  readonly minimum?: string;
  /** How the minimum enters: not; + m for every element; or - m * mins of the element's part. */
  readonly minimumOf: 'none' | 'block' | 'parts';
  unpack(source: Blocks, at: number, block: Block): void;
}

/** The bytes of one tensor, seen twice: as bytes and, for numbers, through a DataView. */
export interface Blocks {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * The integers in one block, before any scale is applied: weight = d * scales[i / 16] * ints[i], and then + m or
 * - m * mins[i / 16]; see {@link Integers.minimumOf}.
 */
export interface Block {
  /** [blockSize] */
  readonly ints: Int8Array;
  /** One for each 16 elements; 1 where the format has no parts. */
  readonly scales: Int16Array;
  readonly mins: Int16Array;
  d: number;
  m: number;
}

export function newBlock(size: number): Block {
  const groups = size / 16;
  return {
    ints: new Int8Array(size),
    scales: new Int16Array(groups).fill(1),
    mins: new Int16Array(groups),
    d: 0,
    m: 0,
  };
}

export function viewBlocks(bytes: Uint8Array): Blocks {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
