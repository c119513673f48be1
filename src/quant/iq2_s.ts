import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/**
 * 256 weights in 82 bytes. An index of 10 bits for every eight weights, its highest two in `qh`; a bit for each sign; a scale of
 * 4 bits for every 16 weights. value = d / 8 * (2 scale + 1) * sign * grid
 */
export const IQ2_S = defineFormat({
  name: 'IQ2_S',
  id: 22,
  blockSize: 256,
  fields: { d: 'F16', qs: 32, signs: 32, qh: 8, scales: 8 },
  weights: { grid: grids.IQ2_S, index: [slots('qs', 8), slots('qh', 2)], signs: slots('signs', 8) },
  parts: { size: 16, slots: slots('scales', 4) },
  scale: 'd',
  factor: 1 / 8,
});
