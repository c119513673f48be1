import { deltaName, gateBytes } from '../../../kernels/states.ts';
import { eachPass, eachTile } from '../state-passes.ts';
import { defineOp } from './op.ts';

/** Where a thread's scratch has tokens' keys and queries: behind their gates. */
const keysAt = gateBytes;

/** The gated delta rule, segment by segment and head by head. Items: segments * heads * parts of a head's columns. */
export const deltaRule = defineOp({
  name: 'deltaRule',
  params: {
    segments: 'i32',
    /** For each segment its first row, how many it has, and the slots: see StepTables. */
    places: 'i32',
    /** Queries, keys and values of each row. */
    qkv: 'i32',
    stride: 'i32',
    alpha: 'i32',
    beta: 'i32',
    /** Bytes between rows, in both. */
    gateStride: 'i32',
    decay: 'i32',
    shift: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** The layer's first state in slot 0. */
    states: 'i32',
    slotBytes: 'i32',
    /** Below 0 where neighbouring heads share one: there is no room for another parameter. */
    keyHeads: 'i32',
    keyDim: 'i32',
    heads: 'i32',
    valueDim: 'i32',
    parts: 'i32',
    epsilon: 'f32',
  },
  items: ({ segments, heads, parts }) => segments * heads * parts,
  // A prompt's segment may be as long as a hundred others.
  chunk: () => 1,
  run:
    at =>
    (m, { scratch }, first, count, ints, floats) => {
      const keyHeads = Math.abs(ints[at.keyHeads]);
      const sharing = ints[at.keyHeads] < 0 ? ints[at.heads] / keyHeads : 1;
      const [rows, columns] = [ints[at.keyDim], ints[at.valueDim]];
      const [stride, gateStride, outStride] = [ints[at.stride], ints[at.gateStride], ints[at.outStride]];
      const { unit_length: unitLength, delta_gates: gates } = m.kernels;
      const [epsilon, scale] = [floats[at.epsilon], Math.fround(1 / Math.fround(Math.sqrt(rows)))];
      const shape = { heads: ints[at.heads], rows, columns, parts: ints[at.parts] };
      const states = { ...shape, states: ints[at.states], slotBytes: ints[at.slotBytes], places: ints[at.places] };
      const keyBytes = 4 * rows;
      const [keys, queries] = [scratch + keysAt, scratch + keysAt + keyBytes];
      for (let item = first; item < first + count; item++)
        eachPass(m, states, item, pass => {
          const { head, row, tokens } = pass;
          const q = ints[at.qkv] + row * stride + (Math.floor(head / sharing) % keyHeads) * keyBytes;
          for (let i = 0; i < tokens; i++) {
            unitLength(keys + 2 * i * keyBytes, q + i * stride + keyHeads * keyBytes, rows, epsilon, 1);
            unitLength(queries + 2 * i * keyBytes, q + i * stride, rows, epsilon, scale);
          }
          const [alpha, beta] = [at.alpha, at.beta].map(gate => ints[gate] + row * gateStride + 4 * head);
          gates(scratch, alpha, gateStride, tokens, ints[at.decay] + 4 * head, ints[at.shift] + 4 * head, beta);
          const values = ints[at.qkv] + row * stride + 2 * keyHeads * keyBytes + 4 * head * columns;
          const out = ints[at.out] + row * outStride + 4 * head * columns;
          eachTile(pass, rows, (from, to, column, width) => {
            const [value, target] = [values + 4 * column, out + 4 * column];
            // biome-ignore format: one line of arguments
            m.kernels[deltaName(width)](from, to, rows, tokens, keys, queries, 2 * keyBytes, scratch, value, stride, target, outStride);
          });
        });
    },
});
