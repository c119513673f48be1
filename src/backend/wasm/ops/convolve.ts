import { convolutionName } from '../../../kernels/states.ts';
import type { KernelInstance } from '../thread-context.ts';
import { defineOp } from './op.ts';

/** Rows and columns of an item: the kernel's columns stay in the first-level cache while the rows pass. */
const [itemRows, itemColumns] = [16, 1024];

/** Causal depthwise convolution of rows with what lies before them in their segments' states. Items: rows * parts of the columns. */
export const convolve = defineOp({
  name: 'convolve',
  params: {
    rows: 'i32',
    columns: 'i32',
    /** For each row its number in its segment, how many rows follow there, and the slots: see StepTables. */
    places: 'i32',
    x: 'i32',
    xStride: 'i32',
    out: 'i32',
    outStride: 'i32',
    kernel: 'i32',
    /** Or 0. */
    bias: 'i32',
    taps: 'i32',
    /** 1: then SiLU. */
    activated: 'i32',
    /** The layer's state in slot 0: [taps - 1, columns]. */
    states: 'i32',
    slotBytes: 'i32',
  },
  items: ({ rows, columns }) => Math.ceil(rows / itemRows) * Math.ceil(columns / itemColumns),
  run:
    at =>
    (m, { scratch }, first, count, ints) => {
      const [rows, columns, taps] = [ints[at.rows], ints[at.columns], ints[at.taps]];
      const kernel = m.kernels[convolutionName(taps, ints[at.activated] === 1)];
      const parts = Math.ceil(columns / itemColumns);
      const stride = 4 * columns;
      const sources: number[] = new Array(taps).fill(0);
      for (let item = first; item < first + count; item++) {
        const from = (item % parts) * itemColumns;
        const offset = 4 * from;
        const width = Math.min(itemColumns, columns - from);
        zeros(m, scratch);
        const bias = ints[at.bias] ? ints[at.bias] + offset : scratch;
        const start = Math.floor(item / parts) * itemRows;
        for (let row = start; row < Math.min(rows, start + itemRows); row++) {
          const place = (ints[at.places] >>> 2) + 4 * row;
          const [number, behind, slot] = [m.words[place], m.words[place + 1], m.words[place + 2]];
          const state = ints[at.states] + slot * ints[at.slotBytes] + offset;
          // What is `back` rows before this one.
          const before = (back: number) => {
            if (back <= number) return ints[at.x] + (row - back) * ints[at.xStride] + offset;
            return slot < 0 ? scratch : state + (taps - 1 - back + number) * stride;
          };
          for (let tap = 0; tap < taps; tap++) sources[tap] = before(taps - 1 - tap);
          const out = ints[at.out] + row * ints[at.outStride] + offset;
          kernel(out, bias, ints[at.kernel] + offset, stride, Math.ceil(width / 8), ...sources);
          if (behind > 0) continue;
          const next = ints[at.states] + m.words[place + 3] * ints[at.slotBytes] + offset;
          for (let tap = 1; tap < taps; tap++)
            m.bytes.copyWithin((next + (tap - 1) * stride) >>> 0, sources[tap] >>> 0, (sources[tap] >>> 0) + 4 * width);
        }
      }
    },
});

/** What stands for a bias that there is none of, and for what lies before a text's first token. */
function zeros(m: KernelInstance, scratch: number): void {
  m.bytes.fill(0, scratch, scratch + 4 * itemColumns);
}
