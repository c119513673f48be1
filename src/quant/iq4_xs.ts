import { blockFormat } from './block.ts';
import { iq4Values } from './iq4_nl.ts';

/**
 * 256 weights in 136 bytes: f16 d, u16 of high scale bits, 4 bytes of low scale nibbles (eight 6-bit scales, one per 32 weights),
 * 128 bytes of nibbles; each 16 bytes hold 32 weights as in Q4_0.
 * value = d * (scale - 32) * iq4Values[q]
 */
export const IQ4_XS = blockFormat(
  { name: 'IQ4_XS', id: 23, blockSize: 256, blockBytes: 136, scales: { kind: 'F16', offsets: [0] } },
  ({ bytes, view }, at, target, to) => {
    const d = view.getFloat16(at, true);
    const high = view.getUint16(at + 2, true);
    for (let group = 0; group < 8; group++) {
      const low = (bytes[at + 4 + (group >> 1)] >> (4 * (group & 1))) & 15;
      const scale = d * ((low | (((high >> (2 * group)) & 3) << 4)) - 32);
      for (let i = 0; i < 16; i++) {
        const pair = bytes[at + 8 + 16 * group + i];
        target[to + 32 * group + i] = scale * iq4Values[pair & 15];
        target[to + 32 * group + i + 16] = scale * iq4Values[pair >> 4];
      }
    }
  },
);
