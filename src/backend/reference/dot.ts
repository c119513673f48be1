import { type Block, type Integers, newBlock, viewBlocks } from '../../quant/format.ts';
import { formats } from '../../quant/formats.ts';
import { segmentColumns } from '../../quant/segment.ts';
import type { QuantType } from '../../quant/types.ts';
import { type Activation, quantize } from './quantize.ts';

const f = Math.fround;

/** A weight row made ready for many products: the row's blocks as integers, or its floats. */
export type WeightRow =
  | { readonly kind: 'floats'; readonly values: Float32Array }
  | ({ readonly kind: 'blocks'; readonly size: number } & BlockRow);

/** A row's blocks, and how their minimums enter the product. */
export interface BlockRow {
  readonly blocks: readonly Block[];
  readonly minimumOf: Integers['minimumOf'];
}

/** A row of x in the form that weights of some type multiply: as it is, or as 8-bit blocks. */
export type Input = Float32Array | Activation;

/** Unpacks one row of `columns` weights from its bytes in the file. */
export function unpackRow(type: QuantType, bytes: Uint8Array, columns: number): WeightRow {
  const { blockSize, blockBytes, decode, integers } = formats[type];
  if (!integers) {
    const values = new Float32Array(columns);
    decode(bytes, values, columns);
    return { kind: 'floats', values };
  }
  const source = viewBlocks(bytes);
  const blocks = Array.from({ length: columns / blockSize }, (_, b) => {
    const block = newBlock(blockSize);
    integers.unpack(source, b * blockBytes, block);
    return block;
  });
  return { kind: 'blocks', size: integers.inputBlock, minimumOf: integers.minimumOf, blocks };
}

/** Prepares x for weights of type `type`. */
export function prepareInput(type: QuantType, x: Float32Array): Input {
  const { integers } = formats[type];
  return integers ? quantize(x, integers.inputBlock) : x;
}

/** Weights times input. */
export function dot(row: WeightRow, input: Input): number {
  if (row.kind === 'floats') return dotFloats(row.values, input as Float32Array);
  return row.size === 32 ? dot32(row, input as Activation) : dot256(row, input as Activation);
}

/** A chain for each segment of the columns; their sums are added up, ascending, the first as it is. */
function inSegments(columns: number, chain: (from: number, to: number) => number): number {
  let total = chain(0, Math.min(columns, segmentColumns));
  for (let from = segmentColumns; from < columns; from += segmentColumns)
    total = f(total + chain(from, Math.min(columns, from + segmentColumns)));
  return total;
}

/** A segment is a chain of multiply, round, add, round; k ascending. */
export function dotFloats(weights: Float32Array, x: Float32Array): number {
  return inSegments(weights.length, (from, to) => {
    let acc = 0;
    for (let k = from; k < to; k++) acc = f(acc + f(weights[k] * x[k]));
    return acc;
  });
}

/**
 * Activations in blocks of 32, and weights in blocks of 32, 64 or 128: per 32 columns acc += f32(I) * (dw * dx), then for formats
 * with a minimum acc += m * (dx * f32(sum)).
 */
export function dot32({ blocks, minimumOf }: BlockRow, x: Activation): number {
  const size = blocks[0].ints.length;
  return inSegments(size * blocks.length, (from, to) => {
    let acc = 0;
    for (let b = from / 32; b < to / 32; b++) {
      const { ints, d, m } = blocks[Math.floor((32 * b) / size)];
      const first = (32 * b) % size;
      let products = 0;
      for (let i = 0; i < 32; i++) products += ints[first + i] * x.q[32 * b + i];
      acc = f(acc + f(products * f(d * x.d[b])));
      if (minimumOf === 'block') {
        const sum = x.sums[2 * b] + x.sums[2 * b + 1];
        acc = f(acc + f(m * f(x.d[b] * sum)));
      }
    }
    return acc;
  });
}

/**
 * Blocks of 256: I = Σ scale * Σ u q and M = Σ min * Σ q are exact integers over the whole block;
 * acc += f32(I) * (dw * dx), then for formats with minimums acc -= f32(M) * (dmin * dx).
 */
export function dot256({ blocks, minimumOf }: BlockRow, x: Activation): number {
  return inSegments(256 * blocks.length, (from, to) => {
    let acc = 0;
    for (let b = from / 256; b < to / 256; b++) {
      const { scales, mins, d, m } = blocks[b];
      let products = 0;
      let minimums = 0;
      for (let s = 0; s < 16; s++) {
        products += scales[s] * partOf(blocks[b], x, b, s);
        minimums += mins[s] * x.sums[16 * b + s];
      }
      acc = f(acc + f(f(products) * f(d * x.d[b])));
      if (minimumOf === 'parts') acc = f(acc - f(f(minimums) * f(m * x.d[b])));
    }
    return acc;
  });
}

/** Σ u q over the `s`-th sixteen of block `b`. */
function partOf({ ints }: Block, { q }: Activation, b: number, s: number): number {
  let sum = 0;
  for (let i = 16 * s; i < 16 * s + 16; i++) sum += ints[i] * q[256 * b + i];
  return sum;
}
