import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { StreamPace } from './stream-pace.ts';

function setUp(togetherMs = 40) {
  const state = { now: 0 };
  const sent: number[] = [];
  const pace = new StreamPace(
    () => sent.push(state.now),
    togetherMs,
    () => state.now,
  );
  const putAt = (...times: number[]) => {
    for (const at of times) {
      while (state.now < Math.floor(at)) {
        state.now++;
        mock.timers.tick(1);
      }
      state.now = at;
      pace.put();
    }
  };
  return { pace, sent, putAt };
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

test('pieces that come quickly go together, those that come slowly at once', () => {
  const { sent, putAt } = setUp();
  putAt(0, 5, 10, 15, 20, 25, 30, 35, 40, 50, 80, 110);
  // The first; those of 5 to 40 at 45; that of 50 with the slow one of 80.
  assert.deepEqual(sent, [0, 45, 80, 110]);
});

test('a burst goes as one', () => {
  const { sent, putAt } = setUp();
  putAt(0, 0.1, 0.2, 40, 40.3, 40.9);
  assert.deepEqual(sent, [0, 0.1, 0.2, 40, 40.3, 40.9]);
});

test('nothing waits where nothing may, nor behind a flush', () => {
  const { sent, putAt } = setUp(0);
  putAt(0, 3, 6);
  assert.deepEqual(sent, [0, 3, 6]);
  const other = setUp();
  other.putAt(0, 5);
  other.pace.flush();
  assert.deepEqual(other.sent, [0, 5]);
});
