import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedMemory } from './shared-memory.ts';

test('what a model does not take is left to those behind it', () => {
  const memory = new SharedMemory(3, 30);
  assert.equal(memory.share, 10);
  memory.take({ weights: 1, kvCache: 1 });
  assert.equal(memory.share, 14);
  memory.take({ weights: 20, kvCache: 4 });
  assert.equal(memory.share, 4);
});
