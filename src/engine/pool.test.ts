import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from './pool.ts';

const states = [
  [3, 0],
  [0, 1],
  [0, 3],
].map(values => Float32Array.from(values));

test('mean, first and last, of length 1', () => {
  const vectors = (['mean', 'cls', 'last'] as const).map(kind => {
    const pool = new Pool(kind, 2);
    for (const [i, state] of states.entries()) pool.add(i, state);
    return [...pool.vector()];
  });
  assert.deepEqual(vectors, [
    [Math.fround(0.6), Math.fround(0.8)],
    [1, 0],
    [0, 1],
  ]);
});

test('a text that is computed anew begins anew', () => {
  const pool = new Pool('mean', 2);
  for (const position of [0, 1, 0, 1, 2]) pool.add(position, states[position]);
  assert.deepEqual([...pool.vector()], [Math.fround(0.6), Math.fround(0.8)]);
});

test('zeros have no direction', () => {
  const pool = new Pool('last', 2);
  pool.add(0, new Float32Array(2));
  assert.deepEqual([...pool.vector()], [0, 0]);
});
