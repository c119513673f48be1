import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { test } from 'node:test';
import { availableMemory } from './available-memory.ts';

test('some memory is available, and no more than there is', () => {
  const bytes = availableMemory();
  assert.ok(bytes > 0 && bytes <= totalmem());
});

test('a limit of the cgroup counts what the process holds, and not the page cache', t => {
  t.mock.method(process, 'constrainedMemory', () => process.memoryUsage.rss() + 5_000_000);
  const bytes = availableMemory();
  assert.ok(bytes > 0 && bytes < 100_000_000, `${bytes}`);
  t.mock.method(process, 'constrainedMemory', () => 1);
  assert.equal(availableMemory(), 0);
});
