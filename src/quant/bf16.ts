import { checkSizes } from './block.ts';
import type { QuantFormat } from './types.ts';

const layout = { name: 'BF16', id: 30, blockSize: 1, blockBytes: 2, scales: { kind: 'BF16', offsets: [0] } } as const;

/** bfloat16: the upper half of a binary32; moved as bits, so that NaN payloads survive. */
export const BF16: QuantFormat = {
  ...layout,
  decode(source, target, count) {
    checkSizes(layout, source, target, count);
    const bits = new Uint32Array(target.buffer, target.byteOffset, count);
    for (let i = 0; i < count; i++) bits[i] = (source[2 * i] << 16) | (source[2 * i + 1] << 24);
  },
};
