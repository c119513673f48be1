/** Products of matrices and activations. */
import { RealmError } from '../../errors.ts';
import type { Buffer, Matrix } from '../backend.ts';
import { dot, prepareInput } from './dot.ts';
import { groups, type ReferenceBuffer, type ReferenceRouting } from './handles.ts';
import type { ReferenceMatrix } from './weights.ts';

const f = Math.fround;

interface Addends {
  readonly bias: Float32Array | undefined;
  readonly accumulate: boolean | undefined;
}

/** Writes (or adds) matrix * x into the rows of `out`; each weight row is unpacked once for all rows of x. */
export function multiply(
  out: readonly Float32Array[],
  matrix: ReferenceMatrix,
  x: readonly Float32Array[],
  { bias, accumulate }: Addends,
): void {
  const inputs = x.map(row => prepareInput(matrix.type, row));
  for (let r = 0; r < matrix.rows; r++) {
    const weights = matrix.unpack(r);
    for (let i = 0; i < inputs.length; i++) {
      let value = dot(weights, inputs[i]);
      if (bias) value = f(value + bias[r]);
      out[i][r] = accumulate ? f(out[i][r] + value) : value;
    }
  }
}

/** Writes each slot's product with the matrix of its expert. `from`: whether x has a row for each token or for each slot. biases: [experts, rows] */
export function multiplyExperts(
  out: ReferenceBuffer,
  matrix: ReferenceMatrix,
  x: ReferenceBuffer,
  from: 'tokens' | 'slots',
  { experts, starts, tokenOf }: ReferenceRouting,
  biases: Float32Array | undefined,
): void {
  for (let expert = 0; expert < experts; expert++) {
    for (let slot = starts[expert]; slot < starts[expert + 1]; slot++) {
      const input = prepareInput(matrix.type, x.row(from === 'tokens' ? tokenOf[slot] : slot));
      const target = out.row(slot);
      for (let r = 0; r < target.length; r++) {
        const row = expert * target.length + r;
        const value = dot(matrix.unpack(row), input);
        target[r] = biases ? f(value + biases[row]) : value;
      }
    }
  }
}

/** Writes each piece's product with the matrix of its head. */
export function multiplyHeads(
  out: readonly Float32Array[],
  matrix: ReferenceMatrix,
  x: readonly Float32Array[],
  heads: number,
): void {
  out.forEach((row, i) => {
    const inputs = groups(x[i], matrix.columns).map(piece => prepareInput(matrix.type, piece));
    for (let r = 0; r < matrix.rows; r++) row[r] = dot(matrix.unpack(r), inputs[Math.floor(r / (matrix.rows / heads))]);
  });
}

/** Throws `internal_error` where the shapes of a product of heads do not fit. */
export function checkHeads(out: Buffer, matrix: Matrix, x: Buffer, heads: number): void {
  if (matrix.columns * heads === x.columns && matrix.rows === out.columns && matrix.rows % (8 * heads) === 0) return;
  const shapes = `[${matrix.rows}, ${matrix.columns}] of ${heads} heads times ${x.columns} columns into ${out.columns}`;
  throw new RealmError('internal_error', `${matrix.name}: ${shapes}`);
}

/** Throws `internal_error` where the shapes do not fit. */
export function checkProduct(out: Buffer, matrix: Matrix, x: Buffer): void {
  if (matrix.columns === x.columns && matrix.rows === out.columns) return;
  const shapes = `[${matrix.rows}, ${matrix.columns}] times ${x.columns} columns into ${out.columns}`;
  throw new RealmError('internal_error', `${matrix.name}: ${shapes}`);
}
