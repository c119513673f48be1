import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pooler } from './pooler.ts';

const states = [
  [3, 0],
  [0, 1],
  [0, 3],
].map(values => Float32Array.from(values));

test('mean, first and last, of length 1', () => {
  const vectors = (['mean', 'cls', 'last'] as const).map(kind => {
    const pooler = new Pooler(kind, 2);
    for (const [i, state] of states.entries()) pooler.add(i, state);
    return [...pooler.vector()];
  });
  assert.deepEqual(vectors, [
    [Math.fround(0.6), Math.fround(0.8)],
    [1, 0],
    [0, 1],
  ]);
});

test('a text that is computed anew begins anew', () => {
  const pooler = new Pooler('mean', 2);
  for (const position of [0, 1, 0, 1, 2]) pooler.add(position, states[position] ?? assert.fail());
  assert.deepEqual([...pooler.vector()], [Math.fround(0.6), Math.fround(0.8)]);
});

test('zeros have no direction', () => {
  const pooler = new Pooler('last', 2);
  pooler.add(0, new Float32Array(2));
  assert.deepEqual([...pooler.vector()], [0, 0]);
});
