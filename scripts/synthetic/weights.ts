import { createCipheriv, createHash } from 'node:crypto';
import { byteLength, formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';
import { shapeBlocks } from './blocks.ts';
import type { TensorPlan } from './gguf-writer.ts';

/** Blocks in one piece of a tensor. */
const pieceBlocks = 16_384;

/** What a tensor's values look like: mean and standard deviation. `around` 1 is for norms, which are stored as F32. */
export interface Values {
  readonly deviation: number;
  readonly mean?: number;
}

/**
 * A tensor of random weights. Its bytes depend on the seed and its name alone (AES-CTR, keyed with both), so a model's shape
 * or order does not change its other tensors.
 */
export function randomTensor(
  name: string,
  shape: readonly number[],
  type: QuantType,
  values: Values,
  seed: number,
): TensorPlan {
  const elements = shape.reduce((product, size) => product * size, 1);
  const length = byteLength(type, elements);
  const pieceBytes = pieceBlocks * formats[type].blockBytes;
  function* bytes() {
    const key = createHash('sha256').update(`${seed}:${name}`).digest().subarray(0, 16);
    const stream = createCipheriv('aes-128-ctr', key, new Uint8Array(16));
    for (let at = 0; at < length; at += pieceBytes) {
      const piece = stream.update(new Uint8Array(Math.min(pieceBytes, length - at)));
      shapeBlocks(type, piece, values.deviation);
      if (values.mean) shift(piece, values.mean);
      yield piece;
    }
  }
  return { name, shape, type, bytes };
}

function shift(piece: Uint8Array, mean: number): void {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
  for (let at = 0; at < piece.length; at += 4) view.setFloat32(at, view.getFloat32(at, true) + mean, true);
}
