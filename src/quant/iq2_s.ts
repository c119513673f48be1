import { bits } from './codes.ts';
import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/** By the two lowest bits of a magnitude, 8, 25 and 43, and its sign. */
export const iq2Values = Int8Array.of(8, 25, 0, 43, -8, -25, 0, -43);

/** Kernels look up in eight values instead of a codebook of a thousand entries. 106 bytes. */
const expanded = defineFormat({
  name: 'IQ2_S',
  id: 22,
  blockSize: 256,
  fields: { low: 64, negative: 32, scales: 8, d: 'F16' },
  weights: { bits: [bits('low', 2, 32), bits('negative', 1, 32)], table: iq2Values },
  parts: { size: 16, slots: slots('scales', 4) },
  scale: 'd',
  factor: 1 / 8,
});

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
  expanded,
});
