import { bits } from './codes.ts';
import { defineFormat } from './define.ts';
import { iq4Values } from './iq4_nl.ts';

/**
 * 256 weights in 136 bytes; each 16 bytes hold 32 weights as in Q4_0. A scale of 6 bits for every 32 weights.
 * value = d * (scale - 32) * iq4Values[q]
 */
export const IQ4_XS = defineFormat({
  name: 'IQ4_XS',
  id: 23,
  blockSize: 256,
  fields: { d: 'F16', scalesHigh: 2, scalesLow: 4, qs: 128 },
  weights: { bits: [bits('qs', 4, 16)], table: iq4Values },
  parts: { size: 32, bits: [bits('scalesLow', 4, 1), bits('scalesHigh', 2, 1)], subtract: 32 },
  scale: 'd',
});
