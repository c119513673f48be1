import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recordings } from './recordings.ts';

test('an answer waits for all that its program has left behind, and fails with the first of it', async () => {
  const recordings = new Recordings();
  await recordings.done();
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  recordings.add(first.promise);
  let done = false;
  const all = recordings.done().then(() => {
    done = true;
  });
  recordings.add(second.promise);
  first.resolve();
  await new Promise(setImmediate);
  assert.equal(done, false);
  second.resolve();
  await all;
  recordings.add(Promise.reject(new Error('the first')));
  recordings.add(Promise.reject(new Error('the second')));
  await assert.rejects(recordings.done(), /the first/);
});

test('they are wanted from the end of the program on, whether its answer waits for them or not', async () => {
  const recordings = new Recordings();
  let wanted = false;
  void recordings.wanted?.then(() => {
    wanted = true;
  });
  await new Promise(setImmediate);
  assert.equal(wanted, false);
  recordings.hurry();
  await new Promise(setImmediate);
  assert.equal(wanted, true);
  assert.equal(recordings.wanted, undefined, 'what ends later need not wait');
});
