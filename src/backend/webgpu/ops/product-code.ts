/** WGSL that the kernels of products have in common, and what they are told. */
import { segmentColumns } from '../../../quant/segment.ts';
import { pieceColumns } from '../layout.ts';
import { bufferCode, type Form, planeParams } from '../weight-code.ts';

/** docs/numerics.md sums these in a chain of their own, then the segments' sums. */
export const segmentPieces = segmentColumns / pieceColumns;

export type ProductParams = Readonly<Record<string, 'u32'>>;

/** What is told of each matrix. */
const matrixParams = {
  /** Of its rows that are in its buffer: the first one's number, how many. */
  first: 'u32',
  rows: 'u32',
  ...planeParams,
  out: 'u32',
  outStride: 'u32',
  bias: 'u32',
  /** 1: there is a bias; 2: what is in `out` is added. */
  addends: 'u32',
  /** Workgroups before its own. */
  start: 'u32',
} as const;

export type MatrixFields = Readonly<Record<keyof typeof matrixParams, number>>;

const sharedParams = {
  /** Where the inputs are, see quantize.ts; words of one. */
  x: 'u32',
  perToken: 'u32',
  tokens: 'u32',
  columns: 'u32',
  /** Workgroups of all matrices. */
  groups: 'u32',
  /** Where the tables of a routing are; whether the inputs are tokens' or slots'; rows of an expert. */
  experts: 'u32',
  starts: 'u32',
  tokenOf: 'u32',
  fromTokens: 'u32',
  outRows: 'u32',
} as const;

export type SharedFields = Readonly<Record<keyof typeof sharedParams, number>>;

/** Of matrix number i: its name and i. */
const numbered = <T>(fields: Readonly<Record<string, T>>, i: number): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${name}${i}`, value]));

export const productParams = (matrices: number): ProductParams =>
  Object.assign({ ...sharedParams }, ...Array.from({ length: matrices }, (_, i) => numbered(matrixParams, i)));

export const productFields = (shared: SharedFields, matrices: readonly MatrixFields[]): Record<string, number> =>
  Object.assign({ ...shared }, ...matrices.map(numbered));

export const addends = { bias: 1, accumulate: 2 } as const;

/** Lines of code, by a number. */
export const each = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

/**
 * To be tuned on a device: for so many tokens workgroups have few rows and go through the tokens; more are multiplied in tiles,
 * which are too few for all cores where tokens are few.
 */
export const fewTokens = 32;

/**
 * `useMatrix0()` and so on: makes a matrix ready
 * `matrixOf(index)`: makes ready the matrix of a workgroup, and returns its number among that matrix's.
 * `store(token, row, sum)`: an output
 */
export function matrixCode(matrices: number): string {
  const use = (i: number) => `
fn useMatrix${i}() {
  planes = Planes(${i}, p.low${i}, p.high${i}, p.parts${i}, p.partsHigh${i}, p.numbers${i});
  matrix = Matrix(p.first${i}, p.rows${i}, p.out${i}, p.outStride${i}, p.bias${i}, p.addends${i});
}`;
  const assign = (i: number) => `useMatrix${i}(); return index - p.start${i};`;
  const last = matrices - 1;
  return `${bufferCode(matrices)}
struct Matrix { first: u32, rows: u32, out: u32, outStride: u32, bias: u32, addends: u32 }
var<private> matrix: Matrix;
${each(matrices, use)}
fn matrixOf(index: u32) -> u32 {
  ${each(last, i => `if (index < p.start${i + 1}) { ${assign(i)} }`)}
  ${assign(last)}
}
fn store(token: u32, row: u32, sum: f32) {
  let at = matrix.out + token * matrix.outStride + row;
  var value = sum;
  if ((matrix.addends & ${addends.bias}) != 0) { value += bitcast<f32>(work[matrix.bias + row]); }
  if ((matrix.addends & ${addends.accumulate}) != 0) { value = bitcast<f32>(work[at]) + value; }
  work[at] = bitcast<u32>(value);
}`;
}

/** Begins main: its first row, of workgroups with so many; `number`: of the workgroup, among those of its matrix. */
export const startCode = (rows: number, number = 'matrixOf(groupNumber)'): string => `
  let groupNumber = group.y * groups.x + group.x;
  if (groupNumber >= p.groups) { return; }
  let firstRow = ${number} * ${rows};
  let place = placeOf(group.z);
  // An expert's biases lie behind those of the experts before it.
  matrix.bias += place.base;`;

/** Scalar product of 16 bytes and 16 bytes, both signed. */
const dotCode = {
  packed: `
fn dot4(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }`,
  plain: `
fn bytes(u: u32) -> vec4i { return (vec4i(i32(u)) << vec4u(24, 16, 8, 0)) >> vec4u(24); }
fn dot4(a: u32, b: u32) -> i32 { return dot(bytes(a), bytes(b)); }`,
};

/**
 * - `input(token, piece)`, `inputScale(token, block)`: activations
 * - `integers(w, parts, x)`: I and M of docs/numerics.md over a piece. `subtract`: what codes are to be lessened by
 * - `addTerms(acc, term)`: adds what a block gives
 */
export function integerCode({ part, minimumOf }: Form, subtract: number, packed: boolean): string {
  const half = (h: 'a' | 'b', sum: 'x' | 'y') =>
    subtract ? `(dot16(w.${h}, x.q.${h}) - ${subtract} * x.sums.${sum})` : `dot16(w.${h}, x.q.${h})`;
  const whole = `(${half('a', 'x')} + ${half('b', 'y')})`;
  const products = {
    0: whole,
    16: `s.scales.x * ${half('a', 'x')} + s.scales.y * ${half('b', 'y')}`,
    32: `s.scales.x * ${whole}`,
  }[part];
  const minimums = {
    none: '0',
    block: 'x.sums.x + x.sums.y',
    parts: part === 16 ? 's.minimums.x * x.sums.x + s.minimums.y * x.sums.y' : 's.minimums.x * (x.sums.x + x.sums.y)',
  }[minimumOf];
  return `${packed ? dotCode.packed : dotCode.plain}
fn dot16(a: vec4u, b: vec4u) -> i32 { return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w); }
struct Input { q: Piece, sums: vec2i }
fn sumsOf(u: u32) -> vec2i { return vec2i(extractBits(i32(u), 0, 16), extractBits(i32(u), 16, 16)); }
fn input(token: u32, piece: u32) -> Input {
  let pieces = p.columns / 32;
  let at = p.x + token * p.perToken + piece;
  let a = vec4u(work[at], work[at + pieces], work[at + 2 * pieces], work[at + 3 * pieces]);
  let b = vec4u(work[at + 4 * pieces], work[at + 5 * pieces], work[at + 6 * pieces], work[at + 7 * pieces]);
  return Input(Piece(a, b), sumsOf(work[at + 8 * pieces]));
}
fn inputScale(token: u32, block: u32) -> f32 {
  return bitcast<f32>(work[p.x + token * p.perToken + 9 * (p.columns / 32) + block]);
}
${part ? '' : 'struct Parts { unused: u32 }\nfn parts(g: u32) -> Parts { return Parts(0); }'}
fn integers(w: Piece, s: Parts, x: Input) -> vec2i { return vec2i(${products}, ${minimums}); }
fn addTerms(acc: f32, term: vec2f) -> f32 {
  var sum = acc + term.x;
  ${{ none: '', block: 'sum += term.y;', parts: 'sum -= term.y;' }[minimumOf]}
  return sum;
}`;
}
