import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 32 weights in 22 bytes: nibbles as in Q4_0; bit i of qh is the fifth bit of weight i. value = d * (q - 16) */
export const Q5_0 = defineFormat({
  name: 'Q5_0',
  id: 6,
  blockSize: 32,
  fields: { d: 'F16', qh: 4, qs: 16 },
  weights: { bits: [bits('qs', 4, 16), bits('qh', 1, 1)], subtract: 16 },
  scale: 'd',
});
