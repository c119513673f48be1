import { defineFormat } from './define.ts';

/** 256 weights in 54 bytes: five digits of base 3 to a byte, four in the last four bytes. value = d * (digit - 1) */
export const TQ1_0 = defineFormat({
  name: 'TQ1_0',
  id: 34,
  blockSize: 256,
  fields: { qs: 48, qh: 4, d: 'F16' },
  weights: {
    trits: [
      { field: 'qs', at: 0, lanes: 32, digits: 5 },
      { field: 'qs', at: 32, lanes: 16, digits: 5 },
      { field: 'qh', at: 0, lanes: 4, digits: 4 },
    ],
  },
  scale: 'd',
});
