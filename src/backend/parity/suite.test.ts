import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNear, assertSameBits } from './suite.ts';

const rows = (...values: number[]) => [Float32Array.from(values)];

test('an exact backend is held to the bits: zeros have signs, and NaN is nothing', () => {
  assertSameBits(rows(1, -0), rows(1, -0));
  assert.throws(() => assertSameBits(rows(1, 0), rows(1, -0)), /column 1/);
  assert.throws(() => assertSameBits(rows(1.0000001), rows(1)), /column 0/);
  assert.throws(() => assertSameBits(rows(Number.NaN), rows(Number.NaN)), /column 0/);
});

test('another is held to a fraction of the largest of each row', () => {
  assertNear(rows(100.005, 0.005), rows(100, 0), 1e-4);
  assert.throws(() => assertNear(rows(100, 0.02), rows(100, 0), 1e-4), /column 1/);
  assert.throws(() => assertNear(rows(100, Number.NaN), rows(100, 0), 1e-4), /column 1/);
  assert.throws(() => assertNear([...rows(1), ...rows(1)], rows(1), 1e-4));
});
