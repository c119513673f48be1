import { checkSizes } from './block.ts';
import type { QuantFormat } from './types.ts';

const layout = { name: 'F32', id: 0, blockSize: 1, blockBytes: 4, scales: { kind: 'F32', offsets: [0] } } as const;

/** IEEE 754 binary32; copied as bytes, so that NaN payloads survive and no alignment is needed. */
export const F32: QuantFormat = {
  ...layout,
  decode(source, target, count) {
    checkSizes(layout, source, target, count);
    new Uint8Array(target.buffer, target.byteOffset).set(source.subarray(0, count * 4));
  },
};
