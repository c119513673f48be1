import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** For each half and each four columns the words of ql (two) and qh that belong together. */
const interleaved = Array.from({ length: 16 }, (_, i) => {
  const [half, column] = [i >> 3, 4 * (i & 7)];
  return [
    ['ql', 64 * half + column, 4],
    ['ql', 64 * half + 32 + column, 4],
    ['qh', 32 * half + column, 4],
  ] as const;
}).flat();

/**
 * 256 weights in 210 bytes. Each half of 128 weights takes 64 bytes of low nibbles (the low ones hold its first 64 weights) and
 * 32 bytes of high bits (weight 32 j + l in byte l, bits 2 j). A signed scale for every 16 weights.
 * value = d * scale * (q - 32)
 */
export const Q6_K = defineFormat({
  name: 'Q6_K',
  id: 14,
  blockSize: 256,
  fields: { ql: 128, qh: 64, scales: 16, d: 'F16' },
  weights: { bits: [bits('ql', 4, 64), bits('qh', 2, 32)], subtract: 32 },
  parts: { size: 16, bits: [bits('scales', 8, 1)], signed: true },
  scale: 'd',
  interleaved,
});
