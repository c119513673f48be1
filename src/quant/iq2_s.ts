import { bits } from './codes.ts';
import { defineFormat } from './define.ts';
import { grids } from './grids.ts';
import { slots } from './slots.ts';

/** All that a sign and a magnitude of the codebook can make, ascending: -43 + 17 code + (1 for codes 1, 2 and 5). */
export const iq2Values = Int8Array.of(-43, -25, -8, 8, 25, 43, 60, 76);

/** Kernels look nothing up: six values take 3 bits. 106 bytes. */
const expanded = defineFormat({
  name: 'IQ2_S',
  id: 22,
  blockSize: 256,
  fields: { low: 64, high: 32, scales: 8, d: 'F16' },
  weights: { bits: [bits('low', 2, 32), bits('high', 1, 32)], table: iq2Values },
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
