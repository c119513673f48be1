import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 98 bytes. An index of 8 bits for every four weights; for every 32 weights a word with seven signs for each eight,
 * and above them a scale of 4 bits. value = d / 2 * (2 scale + 1) * sign * grid
 */
export const IQ3_XXS = defineFormat({
  name: 'IQ3_XXS',
  id: 18,
  blockSize: 256,
  fields: { d: 'F16', qs: 64, words: 32 },
  weights: { grid: grids.IQ3_XXS, index: [slots('qs', 8)], signs: slots('words', 7, { run: 4, jump: 32 }) },
  parts: { size: 32, slots: slots('words', 4, { first: 28, jump: 32 }) },
  scale: 'd',
  factor: 1 / 2,
});
