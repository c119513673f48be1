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
/** Rows that a lane asks for before it uses the first. */
const inFlight = 8;
/** 16 partial sums of two vectors of each of these tokens. */
export const lanes = 2 * tokensAtOnce * 16;

export interface HeadShape {
  /** Of a head's matrix: what sums are over. */
  readonly rows: number;
  /** Columns of a workgroup. */
  readonly columns: number;
}

const mostBytes = 32 << 10;

const each = (line: (k: number) => string): string => Array.from({ length: inFlight }, (_, k) => line(k)).join('\n');

/** Two workgroups or more fit a processor where a state has no more than 128 rows. */
export function headShape(rows: number, limit: number): HeadShape {
  const bytes = (columns: number) => 4 * (rows * (columns + 2 * tokensAtOnce) + lanes + 16 * tokensAtOnce);
  const columns = [32, 16, 8].find(each => bytes(each) <= Math.min(limit, mostBytes));
  if (columns && rows % inFlight === 0) return { rows, columns };
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

/** Rows ascending, some of them loaded at once: `load` and `use` are lines for the k-th of these. `first`: of the token's first vector. */
const eachRow = ({ rows, columns }: HeadShape, load: (k: number) => string, use: (k: number) => string): string => `
      for (var i = 0u; i < ${rows}; i += ${inFlight}) {
        let at = i * ${columns} + lane;
        let first = t * ${rows} + i;
${each(k => `        let s${k} = state[at + ${k * columns}];\n        let a${k} = vectors[first + ${k}];${load(k)}`)}
${each(use)}
      }`;

/** `known`: Σ state * the first vector of token `t`. */
export const sumKnown = (shape: HeadShape): string => `
      var known = 0.0;${eachRow(
        shape,
        () => '',
        k => `        known += product(s${k}, a${k});`,
      )}`;

/** state = state * `keep` + the first vector of token `t` * `change`; `sum`: Σ state * the second. */
export const changeState = (shape: HeadShape): string => `
      var sum = 0.0;${eachRow(
        shape,
        k => `\n        let b${k} = vectors[first + ${tokensAtOnce * shape.rows + k}];`,
        k => `        let now${k} = product(s${k}, keep) + product(a${k}, change);
        state[at + ${k * shape.columns}] = now${k};
        sum += product(now${k}, b${k});`,
      )}`;

/**
 * `bring` makes `vectors`, `keeps` and `rates` of `tokens` tokens from row `row` on, with all lanes; `take` takes token `t` of these
 * over the lane's `column`, which is `state[i * columns + lane]`, and writes what comes out.
 */
export function headMain({ rows, columns }: HeadShape, bring: string, take: string): string {
  /** From the rows that the lanes have at once to the next of these, so many times. */
  const step = (times: number) => (lanes / columns) * times;
  return `
  let segment = p.segments + group.z * ${segmentWords};
  let start = tables[segment];
  let count = tables[segment + 1];
  let slot = tables[segment + 2];
  let head = group.x;
  let column = group.y * ${columns} + lane % ${columns};
  let inside = column < p.headColumns;
  for (var i = lane / ${columns}; i < ${rows}; i += ${step(inFlight)}) {
${each(k => `    var value${k} = 0.0;`)}
    if (inside && slot != ${none}) {
${each(k => `      value${k} = states[placeIn(slot, head, min(i + ${step(k)}, ${rows - 1}), column)];`)}
    }
${each(k => `    if (i + ${step(k)} < ${rows}) { state[(i + ${step(k)}) * ${columns} + lane % ${columns}] = value${k}; }`)}
  }
  for (var done = 0u; done < count; done += ${tokensAtOnce}) {
    let row = start + done;
    let tokens = min(${tokensAtOnce}, count - done);
    workgroupBarrier();
${bring}
    workgroupBarrier();
    for (var t = 0u; t < tokens && inside && lane < ${columns}; t++) {
${take}
    }
  }
  workgroupBarrier();
  let next = tables[segment + 3];
  for (var i = lane / ${columns}; i < ${rows}; i += ${step(1)}) {
    if (inside) { states[placeIn(next, head, i, column)] = state[i * ${columns} + lane % ${columns}]; }
  }`;
}
