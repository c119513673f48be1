import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breathe } from './breathe.ts';

test('a loop over settled promises lets timers have their turn', async () => {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  const end = performance.now() + 5000;
  while (!fired && performance.now() < end) await breathe();
  assert.ok(fired);
});
