import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryAfterEstimator } from './retry-after-estimator.ts';

test('what is said follows how long requests take, from the first one on', () => {
  let now = 0;
  const estimator = new RetryAfterEstimator(() => now);
  now = 100_000;
  estimator.start();
  assert.equal(estimator.seconds(), 1);
  // Nothing has ended yet.
  now += 5_000;
  assert.equal(estimator.seconds(), 5);
  now += 8_000;
  estimator.ended();
  assert.equal(estimator.seconds(), 13);
  for (let i = 0; i < 40; i++) {
    now += 2_000;
    estimator.ended();
  }
  assert.equal(estimator.seconds(), 3);
  now += 300_000;
  assert.equal(estimator.seconds(), 60);
});
