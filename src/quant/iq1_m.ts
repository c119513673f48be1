import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 56 bytes. An index of 11 bits for every eight weights, its highest three in a nibble of `qh`, whose last bit is
 * the direction of a shift by an eighth; a scale of 3 bits for every 16 weights, four in a word whose last nibble is one of d's.
 * value = d / 8 * (2 scale + 1) * (8 * grid + 1 or - 1)
 */
export const IQ1_M = defineFormat({
  name: 'IQ1_M',
  id: 29,
  blockSize: 256,
  fields: { qs: 32, qh: 16, scales: 'F16x4' },
  weights: {
    grid: grids.IQ1_S,
    index: [slots('qs', 8), slots('qh', 3, { jump: 4 })],
    shift: slots('qh', 1, { first: 3, jump: 4 }),
  },
  parts: { size: 16, slots: slots('scales', 3, { run: 4, jump: 16 }) },
  scale: 'scales',
  factor: 1 / 8,
});
