import { bits } from './codes.ts';
import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/** Kernels look nothing up: the sixteen values that a sign and a codebook's entry can make take 4 bits. 134 bytes. */
const expanded = defineFormat({
  name: 'IQ3_S',
  id: 21,
  blockSize: 256,
  fields: { codes: 128, scales: 4, d: 'F16' },
  weights: { bits: [bits('codes', 4, 32)], odd: true },
  parts: { size: 32, slots: slots('scales', 4) },
  scale: 'd',
});

/**
 * 256 weights in 110 bytes. An index of 9 bits for every four weights, its highest bit in `qh`; a bit for each sign; a scale of
 * 4 bits for every 32 weights. value = d * (2 scale + 1) * sign * grid
 */
export const IQ3_S = defineFormat({
  name: 'IQ3_S',
  id: 21,
  blockSize: 256,
  fields: { d: 'F16', qs: 64, qh: 8, signs: 32, scales: 4 },
  weights: { grid: grids.IQ3_S, index: [slots('qs', 8), slots('qh', 1)], signs: slots('signs', 8) },
  parts: { size: 32, slots: slots('scales', 4) },
  scale: 'd',
  expanded,
});
