import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxTile } from '../../kernels/activation.ts';
import { defineOp } from './ops/op.ts';
import { Recorder } from './recorder.ts';
import type { ThreadPool } from './thread-pool.ts';

const perRow = defineOp({ name: 'perRow', params: { rows: 'i32' }, items: ({ rows }) => rows, run: () => () => {} });

/** How many rows a thread claims at once. */
function claimed(rows: number, threads: number): number {
  let claim = 0;
  const commands = {
    length: 0,
    push: (_op: unknown, _memory: number, _items: number, chunk: number) => (claim = chunk),
  };
  const recorder = new Recorder({ threads, commands } as unknown as ThreadPool, () => {});
  recorder.recordRows(0, perRow, false, { rows });
  return claim;
}

test('rows that are quantised into one tile are claimed together', () => {
  assert.equal(claimed(8, 2), 4);
  assert.equal(claimed(12, 2), 6);
});

test('rows are shared among all threads, and many of them in several turns', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 64 }), (rows, threads) => {
      const claim = claimed(rows, threads);
      assert.ok(claim >= 1 && claim <= Math.ceil(rows / threads), `${claim} of ${rows} rows`);
      assert.ok(claim <= Math.max(maxTile, Math.ceil(rows / threads / 4)), `${claim} of ${rows} rows`);
    }),
  );
});
