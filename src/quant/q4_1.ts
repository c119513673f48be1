import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 32 weights in 20 bytes, nibbles as in Q4_0. value = d * q + m */
export const Q4_1 = defineFormat({
  name: 'Q4_1',
  id: 3,
  blockSize: 32,
  fields: { d: 'F16', m: 'F16', qs: 16 },
  weights: { bits: [bits('qs', 4, 16)] },
  scale: 'd',
  minimum: 'm',
});
