import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/** 256 weights in 176 bytes: as Q4_K; bit i / 32 of byte i % 32 of `qh` is the fifth bit. value = d * scale * q - dmin * minimum */
export const Q5_K = defineFormat({
  name: 'Q5_K',
  id: 13,
  blockSize: 256,
  fields: { d: 'F16', dmin: 'F16', scales: 12, qh: 32, qs: 128 },
  weights: { bits: [bits('qs', 4, 32), bits('qh', 1, 32)] },
  parts: { size: 32, bits: [bits('scales', 6, 12)] },
  scale: 'd',
  minimum: 'dmin',
});
