import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

const block = {
  name: 'Q1_0',
  id: 41,
  blockSize: 128,
  fields: { d: 'F16', qs: 16 },
  scale: 'd',
} as const;

/** The same bits, those of four columns in a row in the four bytes of a word. */
const expanded = defineFormat({ ...block, weights: { bits: [bits('qs', 1, 4)], odd: true } });

/** 128 weights in 18 bytes: bit i is weight i's. value = d * (2 q - 1) */
export const Q1_0 = defineFormat({ ...block, weights: { bits: [bits('qs', 1, 1)], odd: true }, expanded });
