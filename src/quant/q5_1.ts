import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 32 weights in 24 bytes, their bits as in Q5_0. value = d * q + m */
export const Q5_1 = defineFormat({
  name: 'Q5_1',
  id: 7,
  blockSize: 32,
  fields: { d: 'F16', m: 'F16', qh: 4, qs: 16 },
  weights: { bits: [bits('qs', 4, 16), bits('qh', 1, 1)] },
  scale: 'd',
  minimum: 'm',
});
