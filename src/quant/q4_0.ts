import { blockFormat } from './block.ts';

/**
 * 32 weights in 18 bytes: f16 scale d, 16 bytes of nibbles. Byte i holds weight i (low) and weight i + 16 (high).
 * value = d * (q - 8)
 */
export const Q4_0 = blockFormat(
  { name: 'Q4_0', id: 2, blockSize: 32, blockBytes: 18, scales: { kind: 'F16', offsets: [0] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      target[to + i] = d * ((pair & 15) - 8);
      target[to + i + 16] = d * ((pair >> 4) - 8);
    }
  },
);
