import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 32 weights in 18 bytes. Byte i of the nibbles holds weight i (low) and weight i + 16 (high). value = d * (q - 8) */
export const Q4_0 = defineFormat({
  name: 'Q4_0',
  id: 2,
  blockSize: 32,
  fields: { d: 'F16', qs: 16 },
  weights: { bits: [bits('qs', 4, 16)], subtract: 8 },
  scale: 'd',
});
