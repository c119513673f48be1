import { blockFormat } from './block.ts';

/** The sixteen values that a 4-bit code of IQ4_NL and IQ4_XS stands for: finer around zero, where weights are dense. */
export const iq4Values = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** 32 weights in 18 bytes: f16 scale d, 16 bytes of nibbles laid out as in Q4_0. value = d * iq4Values[q] */
export const IQ4_NL = blockFormat(
  { name: 'IQ4_NL', id: 20, blockSize: 32, blockBytes: 18, scales: { kind: 'F16', offsets: [0] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      target[to + i] = d * iq4Values[pair & 15];
      target[to + i + 16] = d * iq4Values[pair >> 4];
    }
  },
);
