import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestLength, DraftLength } from './draft-length.ts';

test('the length with the most tokens in a time', () => {
  assert.equal(bestLength(1, { row: 0, pass: 0 }, 5), 5);
  assert.equal(bestLength(0, { row: 0, pass: 0 }, 5), 0);
  // (1 + 0.8 + 0.64 + 0.512) / (1 + 3 * 0.2) = 1.845; with two or four it is 1.743 and 1.868, with five 1.845.
  assert.equal(bestLength(0.8, { row: 0.1, pass: 0.1 }, 5), 4);
  assert.equal(bestLength(0.8, { row: 0.1, pass: 0.1 }, 2), 2);
  // Where rows go through the model again, fewer are worth it.
  assert.equal(bestLength(0.8, { row: 0.1, pass: 0.1, again: 0.1 }, 5), 3);
  // Every drafted token costs as much as a plain one.
  assert.equal(bestLength(0.9, { row: 0.5, pass: 0.5 }, 5), 0);
});

test('drafts stop when they are wrong, for longer each time, and come back when they are right', () => {
  const costs = { row: 0.1, pass: 0.1 };
  const length = new DraftLength(0.7);
  const drafted: number[] = [];
  for (let step = 0; step < 1000; step++) {
    const wanted = length.next(costs, 5);
    if (wanted > 0) drafted.push(step);
    length.learn(wanted, 0);
  }
  assert.ok(drafted.length < 80, `${drafted.length} of 1000 steps drafted`);
  assert.ok(drafted.filter(step => step >= 500).length < drafted.filter(step => step < 500).length);
  let lengths = 0;
  for (let step = 0; step < 2000; step++) {
    const wanted = length.next(costs, 5);
    length.learn(wanted, wanted);
    if (step >= 1900) lengths += wanted;
  }
  assert.equal(lengths, 500);
});
