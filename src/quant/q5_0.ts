import { blockFormat } from './block.ts';

/**
 * 32 weights in 22 bytes: f16 scale d, u32 qh whose bit i is the fifth bit of weight i, 16 bytes of nibbles as in Q4_0.
 * value = d * (q - 16)
 */
export const Q5_0 = blockFormat(
  { name: 'Q5_0', id: 6, blockSize: 32, blockBytes: 22, scales: { kind: 'F16', offsets: [0] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    const high = view.getUint32(at + 2, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i];
      target[to + i] = d * (((pair & 15) | (((high >>> i) & 1) << 4)) - 16);
      target[to + i + 16] = d * (((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
    }
  },
);
