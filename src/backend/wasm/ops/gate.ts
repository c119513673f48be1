import { everyGate } from '../../backend.ts';
import { defineOp } from './op.ts';

/** out = activation(gate) * up. Items: rows. */
export const gate = defineOp({
  name: 'gate',
  params: {
    rows: 'i32',
    /** Which of {@link everyGate}. */
    kind: 'i32',
    out: 'i32',
    gate: 'i32',
    up: 'i32',
    /** Bytes between rows, in all three. */
    stride: 'i32',
    /** Eights of columns. */
    eights: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const kernel = m.kernels[`gate_${everyGate[ints[at.kind]]}`];
    for (let row = first; row < first + count; row++) {
      const offset = row * ints[at.stride];
      kernel(ints[at.out] + offset, ints[at.gate] + offset, ints[at.up] + offset, ints[at.eights]);
    }
  },
});
