import { blockFormat } from './block.ts';
import { minimumAt, scaleAt } from './k-scales.ts';

/**
 * 256 weights in 176 bytes: as Q4_K, with 32 bytes of fifth bits (bit i / 32 of byte i % 32) before the nibbles.
 * value = d * scale * q - dmin * minimum
 */
export const Q5_K = blockFormat(
  { name: 'Q5_K', id: 13, blockSize: 256, blockBytes: 176, scales: { kind: 'F16', offsets: [0, 2] } },
  ({ bytes, view }, at, target, to) => {
    for (let group = 0; group < 8; group++) {
      const scale = view.getFloat16(at, true) * scaleAt(bytes, at + 4, group);
      const minimum = view.getFloat16(at + 2, true) * minimumAt(bytes, at + 4, group);
      const nibbles = at + 48 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        const high = (bytes[at + 16 + i] >> group) & 1;
        target[to + 32 * group + i] = scale * (((bytes[nibbles + i] >> shift) & 15) | (high << 4)) - minimum;
      }
    }
  },
);
