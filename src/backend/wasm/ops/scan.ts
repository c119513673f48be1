import { scanName } from '../../../kernels/states.ts';
import { eachPass, eachTile } from '../state-passes.ts';
import { defineOp } from './op.ts';

/** Mamba-2's state space step, segment by segment and head by head. Items: segments * heads * parts of a head's columns. */
export const scan = defineOp({
  name: 'scan',
  params: {
    segments: 'i32',
    /** For each segment its first row, how many it has, and the slots: see StepTables. */
    places: 'i32',
    /** Each row's heads' x, then its groups' B, then its groups' C. */
    xbc: 'i32',
    stride: 'i32',
    dt: 'i32',
    dtStride: 'i32',
    decay: 'i32',
    shift: 'i32',
    skip: 'i32',
    out: 'i32',
    outStride: 'i32',
    /** The layer's first state in slot 0. */
    states: 'i32',
    slotBytes: 'i32',
    heads: 'i32',
    headDim: 'i32',
    groups: 'i32',
    stateDim: 'i32',
    parts: 'i32',
  },
  items: ({ segments, heads, parts }) => segments * heads * parts,
  // A prompt's segment may be as long as a hundred others.
  chunk: () => 1,
  run:
    at =>
    (m, { scratch }, first, count, ints) => {
      const [heads, groups, rows, columns] = [ints[at.heads], ints[at.groups], ints[at.stateDim], ints[at.headDim]];
      const [stride, outStride] = [ints[at.stride], ints[at.outStride]];
      const shape = { heads, rows, columns, parts: ints[at.parts] };
      const states = { ...shape, states: ints[at.states], slotBytes: ints[at.slotBytes], places: ints[at.places] };
      for (let item = first; item < first + count; item++)
        eachPass(m, states, item, pass => {
          const { head, row, tokens } = pass;
          const [decay, shift, skip] = [at.decay, at.shift, at.skip].map(vector => ints[vector] + 4 * head);
          const dt = ints[at.dt] + row * ints[at.dtStride] + 4 * head;
          m.kernels.scan_gates(scratch, dt, ints[at.dtStride], tokens, decay, shift);
          const x = ints[at.xbc] + row * stride;
          const b = x + 4 * heads * columns + 4 * rows * Math.floor((head * groups) / heads);
          const c = b + 4 * rows * groups;
          const out = ints[at.out] + row * outStride;
          eachTile(pass, rows, (from, to, column, width) => {
            const place = 4 * (head * columns + column);
            // biome-ignore format: one line of arguments
            m.kernels[scanName(width)](from, to, rows, tokens, b, c, stride, scratch, x + place, stride, out + place, outStride, skip);
          });
        });
    },
});
