import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 74 bytes. 16 bits for every eight weights: an index of 9, and seven signs; a scale of 4 bits for every 16
 * weights. value = d / 8 * (2 scale + 1) * sign * grid
 */
export const IQ2_XS = defineFormat({
  name: 'IQ2_XS',
  id: 17,
  blockSize: 256,
  fields: { d: 'F16', qs: 64, scales: 8 },
  weights: {
    grid: grids.IQ2_XS,
    index: [slots('qs', 9, { jump: 16 })],
    signs: slots('qs', 7, { first: 9, jump: 16 }),
  },
  parts: { size: 16, slots: slots('scales', 4) },
  scale: 'd',
  factor: 1 / 8,
});
