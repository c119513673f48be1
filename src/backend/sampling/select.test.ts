import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keepBest } from './select.ts';

const keysOf = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60 });

function sorted(keys: readonly number[]): number[] {
  return keys.map((_, id) => id).sort((a, b) => keys[b] - keys[a] || a - b);
}

test('the best n are those that a sort puts first', () => {
  fc.assert(
    fc.property(keysOf, fc.integer({ min: 1, max: 60 }), (keys, n) => {
      const ids = Int32Array.from(keys, (_, i) => i);
      const moved = Float64Array.from(keys);
      const count = keepBest(ids, moved, keys.length, n, 'unit');
      assert.equal(count, Math.min(n, keys.length));
      assert.deepEqual([...ids.subarray(0, count)].sort(), sorted(keys).slice(0, count).sort());
      assert.deepEqual(
        [...moved],
        [...ids].map(id => keys[id]),
      );
    }),
  );
});

test('the smallest set that reaches a mass', () => {
  fc.assert(
    fc.property(keysOf, fc.double({ min: 0.01, max: 1, noNaN: true }), (keys, fraction) => {
      const need = fraction * keys.reduce((a, b) => a + b, 0);
      const order = sorted(keys);
      let expected = 0;
      for (let mass = 0; expected < keys.length && (mass < need || expected === 0); ) mass += keys[order[expected++]];
      const ids = Int32Array.from(keys, (_, i) => i);
      const count = keepBest(ids, Float64Array.from(keys), keys.length, need, 'key');
      // Where nothing has mass, any set will do.
      if (need > 0) assert.deepEqual([...ids.subarray(0, count)].sort(), order.slice(0, expected).sort());
    }),
  );
});

test('many equal or sorted keys take no more than linear time', () => {
  for (const key of [() => 1, (i: number) => i, (i: number) => -i]) {
    const ids = Int32Array.from({ length: 300_000 }, (_, i) => i);
    const started = performance.now();
    assert.equal(keepBest(ids, Float64Array.from(ids, key), ids.length, 1000, 'unit'), 1000);
    assert.ok(performance.now() - started < 2000);
  }
});
