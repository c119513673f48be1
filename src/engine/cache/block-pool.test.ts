import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BlockId, BlockPool } from './block-pool.ts';

test('pages are given out once and come back with their last reference', () => {
  const pool = new BlockPool(4);
  const [a, b, c] = pool.allocate(3) as [BlockId, BlockId, BlockId];
  assert.equal(new Set([a, b, c]).size, 3);
  assert.equal(pool.used, 3);
  assert.ok(pool.canAllocate(1) && !pool.canAllocate(2));
  pool.retain(a);
  pool.release(a);
  assert.equal(pool.free, 1);
  pool.release(a);
  assert.equal(pool.free, 2);
  assert.deepEqual(pool.allocate(1), [a], 'the page freed last is used first');
  assert.equal(pool.touched, 3, 'a page that is used again is not touched again');
});

test('mistakes in the books are found at once', () => {
  const pool = new BlockPool(2);
  const [a] = pool.allocate(1) as [BlockId];
  pool.release(a);
  assert.throws(() => pool.release(a), /not in use/);
  assert.throws(() => pool.retain(a), /not in use/);
  assert.throws(() => pool.allocate(3), /3 pages asked, 2 free/);
});
