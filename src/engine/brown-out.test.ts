import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrownOut } from './brown-out.ts';

function setUp() {
  const state = { now: 0, memory: 1000 };
  const limits = { waiting: 32, memory: 64, afterMs: 3_000 };
  const brownOut = new BrownOut(
    limits,
    () => state.memory,
    () => state.now,
  );
  /** Looks for so long; the levels that it had, without repeats. */
  const watch = (ms: number, waiting: number): number[] => {
    const levels: number[] = [];
    for (const end = state.now + ms; state.now < end; state.now += 50) {
      const level = brownOut.look(waiting);
      if (level !== levels.at(-1)) levels.push(level);
    }
    return levels;
  };
  return { state, brownOut, watch };
}

test('pressure that lasts raises the level, a burst does not', () => {
  const { watch } = setUp();
  assert.deepEqual(watch(2_500, 100), [0]);
  assert.deepEqual(watch(1_000, 0), [0]);
  assert.deepEqual(watch(20_000, 100), [0, 1, 2]);
});

test('it is left later than it is reached, and not while the queue stands between', () => {
  const { watch } = setUp();
  watch(20_000, 100);
  assert.deepEqual(watch(60_000, 20), [2]);
  assert.deepEqual(watch(8_000, 10), [2]);
  assert.deepEqual(watch(20_000, 10), [2, 1, 0]);
});

test('little memory is pressure too', () => {
  const { state, watch } = setUp();
  state.memory = 10;
  assert.deepEqual(watch(20_000, 0), [0, 1, 2]);
  state.memory = 100;
  assert.deepEqual(watch(60_000, 0), [2]);
  state.memory = 1000;
  assert.deepEqual(watch(60_000, 0), [2, 1, 0]);
});

test('an engine that slept meanwhile is calm at the first look', () => {
  const { state, brownOut, watch } = setUp();
  watch(20_000, 100);
  watch(1_000, 0);
  state.now += 60_000;
  assert.equal(brownOut.look(0), 0);
});
