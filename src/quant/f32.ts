import { defineFloats } from './define.ts';

/** IEEE 754 binary32; copied as bytes, so that NaN payloads survive and no alignment is needed. */
export const F32 = defineFloats({
  name: 'F32',
  id: 0,
  type: 'F32',
  decode({ bytes }, target, count) {
    new Uint8Array(target.buffer, target.byteOffset).set(bytes.subarray(0, count * 4));
  },
});
