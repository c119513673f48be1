import { blockFormat } from './block.ts';

/** IEEE 754 binary16. */
export const F16 = blockFormat(
  { name: 'F16', id: 1, blockSize: 1, blockBytes: 2, scales: { kind: 'F16', offsets: [0] } },
  ({ view }, at, target, to) => {
    target[to] = view.getFloat16(at, true);
  },
);
