import assert from 'node:assert/strict';
import { it } from 'node:test';
import { batch } from './batch.ts';

it('takes what came in between at once, in order, and nothing twice', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const taken: (readonly number[])[] = [];
  const { push, flush } = batch<number>(40, items => taken.push(items));
  push(1);
  push(2);
  assert.deepEqual(taken, []);
  t.mock.timers.tick(40);
  push(3);
  flush();
  flush();
  t.mock.timers.tick(100);
  assert.deepEqual(taken, [[1, 2], [3]]);
});
