import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/**
 * 256 weights in 84 bytes. Each half of 128 weights takes 32 bytes; weight 32 j + l of a half is in byte l, bits 2 j. The low
 * nibbles of `scales` are scales, the high ones minimums, of 16 weights each. value = d * scale * q - dmin * minimum
 */
export const Q2_K = defineFormat({
  name: 'Q2_K',
  id: 10,
  blockSize: 256,
  fields: { scales: 16, qs: 64, d: 'F16', dmin: 'F16' },
  weights: { bits: [bits('qs', 2, 32)] },
  parts: { size: 16, bits: [bits('scales', 4, 16)] },
  scale: 'd',
  minimum: 'dmin',
});
