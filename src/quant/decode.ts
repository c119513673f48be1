import { RealmError } from '../errors.ts';
import { type Block, type Integers, newBlock, type QuantFormat, viewBlocks } from './format.ts';

type Sizes = Pick<QuantFormat, 'name' | 'blockSize' | 'blockBytes'>;

/**
 * Decodes in doubles and rounds once, on the store into the Float32Array. That equals ggml's f32 arithmetic bit for bit: a
 * scale has at most 11 significant bits and is multiplied by small integers, so every product is exact in f32 too, and the
 * one addition or subtraction of each formula is the only operation that rounds in either.
 */
export function decoder(sizes: Sizes, { unpack, minimumOf }: Integers): QuantFormat['decode'] {
  const { blockSize, blockBytes } = sizes;
  const block = newBlock(blockSize);
  return (source, target, count) => {
    checkSizes(sizes, source, target, count);
    const blocks = viewBlocks(source);
    for (let at = 0, to = 0; to < count; at += blockBytes, to += blockSize) {
      unpack(blocks, at, block);
      scaleUp(block, minimumOf, target, to);
    }
  };
}

function scaleUp(
  { ints, scales, mins, d, m }: Block,
  minimumOf: Integers['minimumOf'],
  target: Float32Array,
  to: number,
) {
  for (let part = 0, i = 0; part < scales.length; part++) {
    const scale = d * scales[part];
    const minimum = m * mins[part];
    const end = i + 16;
    if (minimumOf === 'none') for (; i < end; i++) target[to + i] = scale * ints[i];
    else if (minimumOf === 'block') for (; i < end; i++) target[to + i] = scale * ints[i] + m;
    else for (; i < end; i++) target[to + i] = scale * ints[i] - minimum;
  }
}

/** Throws `internal_error` unless `count` is whole blocks that `source` holds and `target` has room for. */
export function checkSizes(
  { name, blockSize, blockBytes }: Sizes,
  source: Uint8Array,
  target: Float32Array,
  count: number,
): void {
  const bytes = (count / blockSize) * blockBytes;
  if (Number.isInteger(count / blockSize) && bytes <= source.length && count <= target.length) return;
  const have = `${source.length} bytes, room for ${target.length}`;
  throw new RealmError('internal_error', `cannot decode ${count} elements of ${name} from ${have}`);
}
