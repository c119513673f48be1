import { blockFormat } from './block.ts';

/**
 * 32 weights in 20 bytes: f16 scale d, f16 minimum m, 16 bytes of nibbles laid out as in Q4_0.
 * value = d * q + m
 */
export const Q4_1 = blockFormat(
  { name: 'Q4_1', id: 3, blockSize: 32, blockBytes: 20, scales: { kind: 'F16', offsets: [0, 2] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    const m = view.getFloat16(at + 2, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      target[to + i] = d * (pair & 15) + m;
      target[to + i + 16] = d * (pair >> 4) + m;
    }
  },
);
