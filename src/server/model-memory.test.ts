import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelMemory } from './model-memory.ts';

test('what a model does not take is left to those behind it', () => {
  const memory = new ModelMemory(undefined, 30);
  assert.equal(memory.share(1, 3), 10);
  memory.take(0, 2);
  assert.equal(memory.share(1, 2), 14);
  memory.take(1, 24);
  assert.equal(memory.share(1, 1), 4);
  memory.give(0);
  assert.equal(memory.free, 6);
});

test('a model among many gets twice what it needs, as far as that is free', () => {
  const memory = new ModelMemory(100, 30);
  assert.equal(memory.strict, true);
  assert.equal(memory.share(20, 10), 40);
  assert.equal(memory.share(80, 10), 100);
});
