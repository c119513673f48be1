import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/**
 * 256 weights in 110 bytes: low 2 bits as in Q2_K; bit i / 32 of byte i % 32 of `hmask` is the third bit. A scale of 6 bits for
 * every 16 weights. value = d * (scale - 32) * (q - 4)
 */
export const Q3_K = defineFormat({
  name: 'Q3_K',
  id: 11,
  blockSize: 256,
  fields: { hmask: 32, qs: 64, scalesLow: 8, scalesHigh: 4, d: 'F16' },
  weights: { bits: [bits('qs', 2, 32), bits('hmask', 1, 32)], subtract: 4 },
  parts: { size: 16, bits: [bits('scalesLow', 4, 8), bits('scalesHigh', 2, 4)], subtract: 32 },
  scale: 'd',
});
