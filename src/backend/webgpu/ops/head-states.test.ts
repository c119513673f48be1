import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headShape } from './head-states.ts';

test('a workgroup has as many columns of a state as its memory holds', () => {
  const columns = (rows: number, limit: number) => headShape(rows, limit).columns;
  assert.deepEqual([columns(64, 16 << 10), columns(128, 16 << 10), columns(256, 32 << 10)], [32, 16, 16]);
  assert.deepEqual([columns(128, 32 << 10), columns(128, 64 << 10)], [32, 32]);
  for (const rows of [20, 1024]) assert.throws(() => headShape(rows, 32 << 10), { code: 'kernel_unavailable' });
});
