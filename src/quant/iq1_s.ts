import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 50 bytes. An index of 11 bits for every eight weights, its highest three in `qh`, where every 32 weights have 16
 * bits: four times three, a scale of 3 bits, and the direction of a shift by an eighth.
 * value = d / 8 * (2 scale + 1) * (8 * grid + 1 or - 1)
 */
export const IQ1_S = defineFormat({
  name: 'IQ1_S',
  id: 19,
  blockSize: 256,
  fields: { d: 'F16', qs: 32, qh: 16 },
  weights: {
    grid: grids.IQ1_S,
    index: [slots('qs', 8), slots('qh', 3, { run: 4, jump: 16 })],
    shift: slots('qh', 1, { first: 15, run: 4, step: 0, jump: 16 }),
  },
  parts: { size: 32, slots: slots('qh', 3, { first: 12, jump: 16 }) },
  scale: 'd',
  factor: 1 / 8,
});
