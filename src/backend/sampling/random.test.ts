import assert from 'node:assert/strict';
import { test } from 'node:test';
import { philox, seedOf, uniform, type Words } from './random.ts';

const ones = 0xffffffff;

test("the authors' published vectors", () => {
  // Random123, kat_vectors: philox4x32 10.
  const vectors: [Words, number, number, Words][] = [
    [[0, 0, 0, 0], 0, 0, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[ones, ones, ones, ones], ones, ones, [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      0xa4093822,
      0x299f31d0,
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, k0, k1, expected] of vectors) assert.deepEqual(philox(counter, k0, k1), expected);
});

test('numbers are uniform, and seeds that differ anywhere differ', () => {
  const numbers = Array.from({ length: 20_000 }, (_, i) => uniform(seedOf(42), i));
  assert.ok(numbers.every(x => x >= 0 && x < 1));
  const buckets = new Float64Array(20);
  for (const x of numbers) buckets[Math.floor(x * 20)]++;
  const chiSquare = buckets.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  // 19 degrees of freedom: 43.8 is passed once in a thousand.
  assert.ok(chiSquare < 43.8, `chi-square ${chiSquare}`);
  const seeds = [0, 1, -1, 2 ** 32, -(2 ** 32), 2 ** 52, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  assert.equal(new Set(seeds.map(seed => uniform(seedOf(seed), 5))).size, seeds.length);
});

test('64 bits of a seed count, signed or not, and seeds of before are what they were', () => {
  assert.deepEqual(seedOf(-1), seedOf(2n ** 64n - 1n));
  assert.deepEqual(seedOf(-1), [ones, ones]);
  assert.deepEqual(seedOf(2 ** 53 - 1), [ones, 0x1fffff]);
  assert.notDeepEqual(seedOf(2n ** 63n), seedOf(2n ** 63n + 1n));
  assert.deepEqual(seedOf(2 ** 64), seedOf(0));
});
