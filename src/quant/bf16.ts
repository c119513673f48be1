import { defineFloats } from './define.ts';

/** bfloat16: the upper half of a binary32; moved as bits, so that NaN payloads survive. */
export const BF16 = defineFloats({
  name: 'BF16',
  id: 30,
  type: 'BF16',
  decode({ bytes }, target, count) {
    const upper = new Uint32Array(target.buffer, target.byteOffset, count);
    for (let i = 0; i < count; i++) upper[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
  },
});
