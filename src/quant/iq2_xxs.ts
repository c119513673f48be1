import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 66 bytes. For every 32 weights four indices of 8 bits, then a word with seven signs for each eight weights, and
 * above them a scale of 4 bits. value = d / 8 * (2 scale + 1) * sign * grid
 */
export const IQ2_XXS = defineFormat({
  name: 'IQ2_XXS',
  id: 16,
  blockSize: 256,
  fields: { d: 'F16', qs: 64 },
  weights: {
    grid: grids.IQ2_XXS,
    index: [slots('qs', 8, { run: 4, jump: 64 })],
    signs: slots('qs', 7, { first: 32, run: 4, jump: 64 }),
  },
  parts: { size: 32, slots: slots('qs', 4, { first: 60, jump: 64 }) },
  scale: 'd',
  factor: 1 / 8,
});
