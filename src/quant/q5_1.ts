import { blockFormat } from './block.ts';

/**
 * 32 weights in 24 bytes: f16 scale d, f16 minimum m, u32 of fifth bits and 16 bytes of nibbles as in Q5_0.
 * value = d * q + m
 */
export const Q5_1 = blockFormat(
  { name: 'Q5_1', id: 7, blockSize: 32, blockBytes: 24, scales: { kind: 'F16', offsets: [0, 2] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    const m = view.getFloat16(at + 2, true);
    const high = view.getUint32(at + 4, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i];
      target[to + i] = d * ((pair & 15) | (((high >>> i) & 1) << 4)) + m;
      target[to + i + 16] = d * ((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) + m;
    }
  },
);
