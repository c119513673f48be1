import { blockFormat } from './block.ts';

/**
 * 256 weights in 110 bytes: 32 bytes of third bits (bit i / 32 of byte i % 32), 64 bytes of low 2 bits as in Q2_K,
 * 12 bytes of sixteen 6-bit scales (one per 16 weights), f16 d. The third bit is stored inverted.
 * value = d * (scale - 32) * (q - 4)
 */
export const Q3_K = blockFormat(
  { name: 'Q3_K', id: 11, blockSize: 256, blockBytes: 110, scales: { kind: 'F16', offsets: [108] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at + 108, true);
    for (let i = 0; i < 256; i++) {
      const low = (bytes[at + 32 + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
      const high = (bytes[at + (i & 31)] >> (i >> 5)) & 1;
      target[to + i] = d * (scaleOf(bytes, at + 96, i >> 4) - 32) * (low + 4 * high - 4);
    }
  },
);

/** Scale k of 16: its low 4 bits are a nibble of bytes 0-7 (low nibbles first), its high 2 bits lie in bytes 8-11. */
function scaleOf(bytes: Uint8Array, at: number, k: number): number {
  const low = (bytes[at + (k & 7)] >> (4 * (k >> 3))) & 15;
  const high = (bytes[at + 8 + (k & 3)] >> (2 * (k >> 2))) & 3;
  return low | (high << 4);
}
