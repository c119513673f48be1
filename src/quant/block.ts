import { RealmError } from '../errors.ts';
import type { QuantFormat } from './types.ts';

/** The bytes of one tensor, seen twice: as bytes and, for multi-byte fields, through a DataView. */
export interface Blocks {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Decodes one block: reads `blockBytes` bytes at `at`, writes `blockSize` values at `to`.
 *
 * Decoders compute in doubles and round once, on the store into the Float32Array. That equals ggml's f32 arithmetic
 * bit for bit: a scale has at most 11 significant bits and is multiplied by small integers, so every product is exact in f32
 * too, and the one addition or subtraction of each formula is the only operation that rounds in either.
 */
export type DecodeBlock = (source: Blocks, at: number, target: Float32Array, to: number) => void;

type Layout = Omit<QuantFormat, 'decode'>;

/** A format whose blocks are decoded one after the other by `decodeBlock`. */
export function blockFormat(layout: Layout, decodeBlock: DecodeBlock): QuantFormat {
  const { blockSize, blockBytes } = layout;
  return {
    ...layout,
    decode(source, target, count) {
      checkSizes(layout, source, target, count);
      const blocks = { bytes: source, view: viewOf(source) };
      for (let at = 0, to = 0; to < count; at += blockBytes, to += blockSize) decodeBlock(blocks, at, target, to);
    },
  };
}

/** Throws `internal_error` unless `count` is whole blocks that `source` holds and `target` has room for. */
export function checkSizes(layout: Layout, source: Uint8Array, target: Float32Array, count: number): void {
  const bytes = (count / layout.blockSize) * layout.blockBytes;
  if (Number.isInteger(count / layout.blockSize) && bytes <= source.length && count <= target.length) return;
  const have = `${source.length} bytes, room for ${target.length}`;
  throw new RealmError('internal_error', `cannot decode ${count} elements of ${layout.name} from ${have}`);
}

export function viewOf(source: Uint8Array): DataView {
  return new DataView(source.buffer, source.byteOffset, source.byteLength);
}
