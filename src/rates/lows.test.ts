import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lows } from './lows.ts';

test('the lowest since each moment', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 })), { maxLength: 100 }), steps => {
      const lows = new Lows();
      const moments: { moment: number; values: number[] }[] = [];
      for (const value of steps) {
        if (value === null) moments.push({ moment: lows.begin(), values: [] });
        else {
          lows.note(value);
          for (const { values } of moments) values.push(value);
        }
      }
      for (const { moment, values } of moments) assert.equal(lows.since(moment), Math.min(...values));
    }),
  );
});

test('a series that rises for long takes no more room, and no answer is too high', () => {
  const lows = new Lows();
  const moments: number[] = [];
  for (let i = 0; i < 100_000; i++) {
    if (i % 100 === 0) moments.push(lows.begin());
    lows.note(i);
  }
  moments.forEach((moment, i) => {
    const low = lows.since(moment);
    assert.ok(low <= 100 * i, `${low} of ${100 * i}`);
  });
  assert.ok(lows.since(moments.at(-1)!) >= 99_000);
});
