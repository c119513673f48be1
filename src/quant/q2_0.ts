import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

const block = {
  name: 'Q2_0',
  id: 42,
  blockSize: 64,
  fields: { d: 'F16', qs: 16 },
  scale: 'd',
} as const;

/** The same bits, those of four columns in a row in the four bytes of a word. */
const expanded = defineFormat({ ...block, weights: { bits: [bits('qs', 2, 4)], subtract: 1 } });

/** 64 weights in 18 bytes, four in a byte, the first in its lowest bits. value = d * (q - 1) */
export const Q2_0 = defineFormat({ ...block, weights: { bits: [bits('qs', 2, 1)], subtract: 1 }, expanded });
