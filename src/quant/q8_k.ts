import { bits } from './codes.ts';
import { defineFormat } from './define.ts';

/**
 * 256 weights in 292 bytes. `bsums` are sums of 16 weights each (redundant; not read here). ggml's format for activations.
 * value = d * q
 */
export const Q8_K = defineFormat({
  name: 'Q8_K',
  id: 15,
  blockSize: 256,
  fields: { d: 'F32', qs: 256, bsums: 32 },
  weights: { bits: [bits('qs', 8, 1)], signed: true },
  scale: 'd',
});
