import { blockFormat } from './block.ts';
import { minimumAt, scaleAt } from './k-scales.ts';

/**
 * 256 weights in 144 bytes: f16 d, f16 dmin, 12 bytes of scales and minimums (one per 32 weights), 128 bytes of nibbles.
 * 32 bytes hold 64 weights: the low nibbles the first 32, the high nibbles the next.
 * value = d * scale * q - dmin * minimum
 */
export const Q4_K = blockFormat(
  { name: 'Q4_K', id: 12, blockSize: 256, blockBytes: 144, scales: { kind: 'F16', offsets: [0, 2] } },
  ({ bytes, view }, at, target, to) => {
    for (let group = 0; group < 8; group++) {
      const scale = view.getFloat16(at, true) * scaleAt(bytes, at + 4, group);
      const minimum = view.getFloat16(at + 2, true) * minimumAt(bytes, at + 4, group);
      const nibbles = at + 16 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        target[to + 32 * group + i] = scale * ((bytes[nibbles + i] >> shift) & 15) - minimum;
      }
    }
  },
);
