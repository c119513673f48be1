import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 32 weights in 34 bytes. value = d * q */
export const Q8_0 = defineFormat({
  name: 'Q8_0',
  id: 8,
  blockSize: 32,
  fields: { d: 'F16', qs: 32 },
  weights: { bits: [bits('qs', 8, 1)], signed: true },
  scale: 'd',
});
