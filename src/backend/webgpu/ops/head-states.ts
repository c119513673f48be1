/**
 * What kernels have in common whose heads each keep a matrix. A workgroup has some columns of one head's, which know nothing of the
 * others, and goes through a segment's tokens; the state stays in workgroup memory meanwhile. Sums over rows are one chain for each
 * column. In a slot a matrix lies as the CPU's does (src/kernels/states.ts): columns in tiles, [tiles][rows][columns of the tile].
 */
import { RealmError } from '../../../errors.ts';
import { tileColumns } from '../../../kernels/states.ts';
import type { Binding } from '../kernel.ts';
import { none, segmentWords } from '../segment-words.ts';

/** Tokens whose vectors are brought at once. */
export const tokensAtOnce = 4;
/** 16 partial sums of two vectors of each of these tokens. */
export const lanes = 2 * tokensAtOnce * 16;

export interface HeadShape {
  /** Of a head's matrix: what sums are over. */
  readonly rows: number;
  /** Columns of a workgroup. */
  readonly columns: number;
}

const mostBytes = 32 << 10;

/** Two workgroups or more fit a processor where a state has no more than 128 rows. */
export function headShape(rows: number, limit: number): HeadShape {
  const bytes = (columns: number) => 4 * (rows * (columns + 2 * tokensAtOnce) + lanes + 16 * tokensAtOnce);
  const columns = [32, 16, 8].find(each => bytes(each) <= Math.min(limit, mostBytes));
  if (columns) return { rows, columns };
  throw new RealmError('kernel_unavailable', `no kernel on a GPU for states of ${rows} rows; use --device cpu`);
}

export const headParams = {
  /** Where the words of segments are, see segment-words.ts. */
  segments: 'u32',
  /** Columns of a head's matrix. */
  headColumns: 'u32',
  /** Values of a slot, and those before the heads'. */
  stateSize: 'u32',
  at: 'u32',
} as const;

export const headBindings: readonly Binding[] = [{ name: 'states', type: 'array<f32>', access: 'read_write' }];

export const headCode = ({ rows, columns }: HeadShape): string => `
var<workgroup> state: array<f32, ${rows * columns}>;
// [2][tokens][rows]
var<workgroup> vectors: array<f32, ${2 * tokensAtOnce * rows}>;
// What a token makes of the state that there is, and how much of its change is made.
var<workgroup> keeps: array<f32, ${tokensAtOnce}>;
var<workgroup> rates: array<f32, ${tokensAtOnce}>;
fn placeIn(slot: u32, head: u32, row: u32, column: u32) -> u32 {
  let inTile = column % ${tileColumns};
  let wide = min(${tileColumns}, p.headColumns - (column - inTile));
  let matrix = slot * p.stateSize + p.at + head * ${rows} * p.headColumns;
  return matrix + (column - inTile) * ${rows} + row * wide + inTile;
}`;

/**
 * `bring` makes `vectors`, `keeps` and `rates` of `tokens` tokens from row `row` on, with all lanes; `step` takes token `t` of these
 * over the lane's `column`, which is `state[i * columns + lane]`, and writes what comes out.
 */
export const headMain = ({ rows, columns }: HeadShape, bring: string, step: string): string => `
  let segment = p.segments + group.z * ${segmentWords};
  let start = tables[segment];
  let count = tables[segment + 1];
  let slot = tables[segment + 2];
  let head = group.x;
  let column = group.y * ${columns} + lane % ${columns};
  let inside = column < p.headColumns;
  for (var i = lane / ${columns}; i < ${rows}; i += ${lanes / columns}) {
    var value = 0.0;
    if (inside && slot != ${none}) { value = states[placeIn(slot, head, i, column)]; }
    state[i * ${columns} + lane % ${columns}] = value;
  }
  for (var done = 0u; done < count; done += ${tokensAtOnce}) {
    let row = start + done;
    let tokens = min(${tokensAtOnce}, count - done);
    workgroupBarrier();
${bring}
    workgroupBarrier();
    for (var t = 0u; t < tokens && inside && lane < ${columns}; t++) {
${step}
    }
  }
  workgroupBarrier();
  let next = tables[segment + 3];
  for (var i = lane / ${columns}; i < ${rows}; i += ${lanes / columns}) {
    if (inside) { states[placeIn(next, head, i, column)] = state[i * ${columns} + lane % ${columns}]; }
  }`;
