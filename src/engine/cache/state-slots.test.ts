import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateSlots } from './state-slots.ts';

test('a slot has one holder, and copies come in their order, once', () => {
  const slots = new StateSlots(2);
  const [a, b] = [slots.allocate()!, slots.allocate()!];
  assert.notEqual(a, b);
  assert.equal(slots.allocate(), undefined);
  slots.copy(a, b);
  slots.release(a);
  assert.throws(() => slots.release(a), /not in use/);
  assert.equal(slots.allocate(), a);
  slots.copy(b, a);
  assert.deepEqual([...slots.takeCopies()], [a, b, b, a]);
  assert.equal(slots.takeCopies().length, 0);
});
