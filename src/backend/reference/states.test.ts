import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deltaRule } from './states.ts';

test('the delta rule adds epsilon to the squares of keys and queries, so that short ones stay short', () => {
  const shape = { keyHeads: 1, keyDim: 4, valueHeads: 1, valueDim: 2, epsilon: 3 };
  const state = new Float32Array(8);
  const out = new Float32Array(2);
  const [q, k, v] = [Float32Array.of(1, 0, 0, 0), Float32Array.of(1, 0, 0, 0), Float32Array.of(8, -4)];
  deltaRule(out, { q, k, v, alpha: 0, beta: 80, decay: -1, shift: 0 }, state, shape);
  // Both are halved: 1 / sqrt(1 + 3); and the query again, by sqrt(4).
  assert.deepEqual([...state], [4, -2, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...out], [1, -0.5]);
});
