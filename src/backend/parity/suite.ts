/** What the tests of the suite have in common: scenarios, and how their results are compared. */
import assert from 'node:assert/strict';
import type { QuantType } from '../../quant/types.ts';
import type { Backend, Buffer, Feature, Matrix } from '../backend.ts';
import { lacking } from '../lacking.ts';
import { floats, source, weightBytes } from './data.ts';

/** Does something on a backend and returns what it computed. */
export type Scenario = (backend: Backend) => Promise<Float32Array[]>;

/**
 * Registers a test: the scenario gives on the backend under test what it gives on the reference. A backend without the `feature`
 * that it needs must refuse it.
 */
export type Same = (title: string, scenario: Scenario, feature?: Feature) => void;

/** A backend without a feature says so by name, and computes nothing else in its place. */
export const refuses = (feature: Feature, work: () => Promise<unknown>): Promise<void> =>
  assert.rejects(work, { code: 'kernel_unavailable', message: lacking(feature).message });

/** The bits of each array must be equal; NaN never is expected. */
export function assertSameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  assertRows(actual, expected, () => Object.is);
}

/**
 * The zeros of either sign as 0, and what a lost term may have changed: one below 2⁻¹²⁶, which is lost where subnormal numbers
 * are flushed, is less than the last bit of a sum from 2⁻¹⁰² on, and some are that of a sum from 2⁻⁹⁶ on.
 */
export const flushed = (values: Float32Array): Float32Array =>
  values.map(value => (Math.abs(value) < 2 ** -96 ? 0 : value));

/** Each value must be as near as `tolerance` times the largest magnitude of its row. */
export function assertNear(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  tolerance: number,
): void {
  assertRows(actual, expected, row => {
    const most = tolerance * row.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
    return (value, wanted) => Math.abs(value - wanted) <= most;
  });
}

type Agrees = (value: number, wanted: number) => boolean;

function assertRows(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  agreesIn: (row: Float32Array) => Agrees,
): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((values, row) => {
    const found = actual[row] ?? new Float32Array();
    assert.equal(found.length, values.length);
    const agrees = agreesIn(values);
    const bad = values.findIndex((value, i) => !agrees(found[i] ?? Number.NaN, value) || Number.isNaN(value));
    if (bad >= 0) assert.fail(`row ${row}, column ${bad}: ${found[bad]}, expected ${values[bad]}`);
  });
}

export function filled(backend: Backend, seed: number, rows: number, columns: number, scale = 1): Buffer {
  const buffer = backend.buffer(rows, columns);
  for (let row = 0; row < rows; row++) backend.write(buffer, row, floats(seed * 1000 + row, columns, scale));
  return buffer;
}

/** Runs what is recorded; all rows of the buffers. */
export async function results(backend: Backend, ...buffers: readonly Buffer[]): Promise<Float32Array[]> {
  await backend.run();
  const rows: Float32Array[] = [];
  for (const buffer of buffers) {
    const all = new Float32Array(buffer.rows * buffer.columns);
    await backend.download(
      buffer,
      Int32Array.from({ length: buffer.rows }, (_, row) => row),
      all,
    );
    for (let row = 0; row < buffer.rows; row++) rows.push(all.slice(row * buffer.columns, (row + 1) * buffer.columns));
  }
  return rows;
}

export function weights(backend: Backend, type: QuantType, rows: number, columns: number, seed = 1): Promise<Matrix> {
  return backend.matrix(source(type, rows, columns, weightBytes(type, rows * columns, seed)));
}
