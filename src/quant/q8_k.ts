import { blockFormat } from './block.ts';

/**
 * 256 weights in 292 bytes: f32 scale d, 256 signed bytes, sixteen i16 sums of 16 weights each (redundant; not read here).
 * ggml's format for activations; value = d * q
 */
export const Q8_K = blockFormat(
  { name: 'Q8_K', id: 15, blockSize: 256, blockBytes: 292, scales: { kind: 'F32', offsets: [0] } },
  ({ view }, at, target, to) => {
    const d = view.getFloat32(at, true);
    for (let i = 0; i < 256; i++) target[to + i] = d * view.getInt8(at + 4 + i);
  },
);
