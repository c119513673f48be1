import { blockFormat } from './block.ts';

/** 32 weights in 34 bytes: f16 scale d, 32 signed bytes. value = d * q */
export const Q8_0 = blockFormat(
  { name: 'Q8_0', id: 8, blockSize: 32, blockBytes: 34, scales: { kind: 'F16', offsets: [0] } },
  ({ view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    for (let i = 0; i < 32; i++) target[to + i] = d * view.getInt8(at + 2 + i);
  },
);
