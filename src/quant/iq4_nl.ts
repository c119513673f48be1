import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** The sixteen values that a 4-bit code of IQ4_NL and IQ4_XS stands for: finer around zero, where weights are dense. */
export const iq4Values = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** 32 weights in 18 bytes, nibbles as in Q4_0. value = d * iq4Values[q] */
export const IQ4_NL = defineFormat({
  name: 'IQ4_NL',
  id: 20,
  blockSize: 32,
  fields: { d: 'F16', qs: 16 },
  weights: { bits: [bits('qs', 4, 16)], table: iq4Values },
  scale: 'd',
});
