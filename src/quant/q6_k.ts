import { blockFormat } from './block.ts';

/**
 * 256 weights in 210 bytes: 128 bytes of low nibbles, 64 bytes of high 2 bits, 16 signed 8-bit scales (one per 16 weights), f16 d.
 * Each half of 128 weights takes 64 bytes of nibbles (the low ones hold its first 64 weights) and 32 bytes of high bits
 * (weight 32 j + l in byte l, bits 2 j).
 * value = d * scale * (q - 32)
 */
export const Q6_K = blockFormat(
  { name: 'Q6_K', id: 14, blockSize: 256, blockBytes: 210, scales: { kind: 'F16', offsets: [208] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at + 208, true);
    for (let i = 0; i < 256; i++) {
      const half = i >> 7;
      const low = (bytes[at + 64 * half + (i & 63)] >> (4 * ((i >> 6) & 1))) & 15;
      const high = (bytes[at + 128 + 32 * half + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
      target[to + i] = d * view.getInt8(at + 192 + (i >> 4)) * ((low | (high << 4)) - 32);
    }
  },
);
