import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseExperts, type RouterValues } from './routing.ts';

function choose(logits: readonly number[], count: number, router?: RouterValues) {
  const [chosen, weights] = [new Int32Array(count), new Float32Array(count)];
  chooseExperts(Float32Array.from(logits), chosen, weights, router);
  return { chosen: [...chosen], weights: Array.from(weights, weight => Math.round(weight * 1e4) / 1e4) };
}

const ln = Math.log;

test('softmax of all, divided by the sum of the chosen', () => {
  assert.deepEqual(choose([ln(1), ln(5), ln(3), ln(1)], 2), { chosen: [1, 2], weights: [0.625, 0.375] });
  const plain = { normalised: false, scale: 10 };
  assert.deepEqual(choose([ln(1), ln(5), ln(3), ln(1)], 2, plain), { chosen: [1, 2], weights: [5, 3] });
});

test('a bias chooses, and does not weigh', () => {
  const bias = Float32Array.of(0, 0, 0, 0.6);
  const sigmoid = { kind: 'sigmoid', bias, normalised: false } as const;
  assert.deepEqual(choose([0, ln(3), ln(4), ln(1 / 3)], 2, sigmoid), { chosen: [3, 2], weights: [0.25, 0.8] });
});

test('the softmax of the chosen is by their scores', () => {
  assert.deepEqual(
    choose([9, ln(1), ln(3), -5], 3, { kind: 'chosen', bias: Float32Array.of(-20, 0, 0, 0) }).chosen,
    [2, 1, 3],
  );
  assert.deepEqual(choose([ln(1), ln(3), -5], 2, { kind: 'chosen' }), { chosen: [1, 0], weights: [0.75, 0.25] });
});

test('only the groups whose best two are best together are asked, of equals the first', () => {
  const groups = { count: 3, used: 1 };
  const choice = (logits: number[]) => choose(logits, 2, { kind: 'chosen', groups }).chosen;
  assert.deepEqual(choice([9, 0, 0, 6, 5, 0, 1, 1, 8]), [3, 4]);
  assert.deepEqual(choice([1, 1, 1, 1, 1, 1, 1, 1, 1]), [0, 1]);
});
