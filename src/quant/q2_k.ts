import { blockFormat } from './block.ts';

/**
 * 256 weights in 84 bytes: 16 bytes of scales (low nibble: scale, high nibble: minimum, of 16 weights each),
 * 64 bytes of 2-bit weights, f16 d, f16 dmin. Each half of 128 weights takes 32 bytes; weight 32 j + l of a half is in byte l, bits 2 j.
 * value = d * scale * q - dmin * minimum
 */
export const Q2_K = blockFormat(
  { name: 'Q2_K', id: 10, blockSize: 256, blockBytes: 84, scales: { kind: 'F16', offsets: [80, 82] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at + 80, true);
    const dmin = view.getFloat16(at + 82, true);
    for (let i = 0; i < 256; i++) {
      const scale = bytes[at + (i >> 4)];
      const q = (bytes[at + 16 + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
      target[to + i] = d * (scale & 15) * q - dmin * (scale >> 4);
    }
  },
);
