/** Rotates pairs of each head by the angles of its row's position, whose cosines and sines are a table of the step. */
import type { RopeTable } from '../../backend.ts';
import type { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

/** `rotated(x0, x1, c, s)`: the pair behind a rotation. */
export const rotated = `
fn rotated(x0: f32, x1: f32, c: f32, s: f32) -> vec2f {
  return vec2f(product(x0, c) - product(x1, s), product(x0, s) + product(x1, c));
}
`;

export const ropeKernel = defineKernel({
  name: 'rope',
  params: {
    ...{ x: 'u32', stride: 'u32', headDim: 'u32', heads: 'u32', rotations: 'u32' },
    /** Pairs of a head; words between pairs, and between the two of one. */
    ...{ pairs: 'u32', pairStep: 'u32', partner: 'u32' },
  },
  work: 'f32',
  tables: 'f32',
  workgroup: 64,
  declarations: rotated,
  main: `
  let i = group.x * 64 + lane;
  if (i >= p.heads * p.pairs) { return; }
  let pair = i % p.pairs;
  let rotation = p.rotations + 2 * (group.y * p.pairs + pair);
  let a = p.x + group.y * p.stride + (i / p.pairs) * p.headDim + pair * p.pairStep;
  let b = a + p.partner;
  let turned = rotated(work[a], work[b], tables[rotation], tables[rotation + 1]);
  work[a] = turned.x;
  work[b] = turned.y;`,
});

/** rotations: [rows][pairs][cos, sin], see {@link Rotations} */
export function rope(
  { recorder }: Context,
  x: GpuWorkBuffer,
  { style, dimensions }: RopeTable,
  rotations: Float32Array,
  heads: number,
): void {
  const pairs = dimensions / 2;
  const [pairStep, partner] = style === 'adjacent' ? [2, 1] : [1, pairs];
  recorder.record(ropeKernel, [Math.ceil((heads * pairs) / 64), rotations.length / dimensions], {
    ...{ x: x.at, stride: x.stride, headDim: x.columns / heads, heads, rotations: recorder.table(rotations) },
    ...{ pairs, pairStep, partner },
  });
}
