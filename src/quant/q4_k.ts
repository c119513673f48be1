import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/**
 * 256 weights in 144 bytes. 32 bytes hold 64 weights: the low nibbles the first 32, the high nibbles the next. A scale and a
 * minimum for every 32 weights: six-bits.ts. value = d * scale * q - dmin * minimum
 */
export const Q4_K = defineFormat({
  name: 'Q4_K',
  id: 12,
  blockSize: 256,
  fields: { d: 'F16', dmin: 'F16', scales: 12, qs: 128 },
  weights: { bits: [bits('qs', 4, 32)] },
  parts: { size: 32, bits: [bits('scales', 6, 12)] },
  scale: 'd',
  minimum: 'dmin',
});
