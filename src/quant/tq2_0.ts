import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 256 weights in 66 bytes, their bits as in Q2_K. value = d * (q - 1) */
export const TQ2_0 = defineFormat({
  name: 'TQ2_0',
  id: 35,
  blockSize: 256,
  fields: { qs: 64, d: 'F16' },
  weights: { bits: [bits('qs', 2, 32)], subtract: 1 },
  scale: 'd',
});
