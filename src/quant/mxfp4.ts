import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** Twice the sixteen values of an E2M1 float. */
export const e2m1Values = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

/** 32 weights in 17 bytes, nibbles as in Q4_0; the scale is a power of two. value = d / 2 * e2m1Values[q] */
export const MXFP4 = defineFormat({
  name: 'MXFP4',
  id: 39,
  blockSize: 32,
  fields: { d: 'E8M0', qs: 16 },
  weights: { bits: [bits('qs', 4, 16)], table: e2m1Values },
  scale: 'd',
  factor: 1 / 2,
});
