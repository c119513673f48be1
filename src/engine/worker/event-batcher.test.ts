import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Token } from '../../tokenizer/types.ts';
import type { EngineEvent, EventBatch, SequenceId } from '../request.ts';
import { EventBatcher } from './event-batcher.ts';

const token = (id: number, value: number): EventBatch[number] => [
  id as SequenceId,
  { kind: 'token', token: value as Token },
];
const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
const end = (id: number): EventBatch[number] => [
  id as SequenceId,
  { kind: 'end', reason: 'stop', usage } satisfies EngineEvent,
];

function createBatcher() {
  const sent: EventBatch[] = [];
  const clock = { now: 0 };
  const batcher = new EventBatcher(
    events => sent.push(events),
    10,
    () => clock.now,
  );
  const sizes = () => sent.map(({ length }) => length);
  return { batcher, clock, sent, sizes };
}

test('tokens of quick steps go out together after ten milliseconds', () => {
  const { batcher, clock, sizes } = createBatcher();
  for (const now of [0, 3, 6, 9, 12, 15, 18]) {
    clock.now = now;
    batcher.put([token(1, now)]);
  }
  // The first at once; those of 3, 6, 9 and 12 with that of 15; that of 18 waits.
  assert.deepEqual(sizes(), [1, 5]);
});

test('the first token of any request, and every end, takes along what waits', () => {
  const { batcher, clock, sent, sizes } = createBatcher();
  batcher.put([token(1, 0)]);
  clock.now = 1;
  batcher.put([token(1, 1)]);
  clock.now = 2;
  batcher.put([token(1, 2), token(2, 0)]);
  clock.now = 3;
  batcher.put([token(1, 3), token(2, 1)]);
  clock.now = 4;
  batcher.put([end(1)]);
  assert.deepEqual(sizes(), [1, 3, 3]);
  assert.deepEqual(
    sent.flat().filter(([id]) => id === 1),
    [token(1, 0), token(1, 1), token(1, 2), token(1, 3), end(1)],
  );
});

test('tokens of slow steps do not wait', () => {
  const { batcher, clock, sizes } = createBatcher();
  for (const now of [0, 6, 12, 18]) {
    clock.now = now;
    batcher.put([token(1, now)]);
  }
  assert.deepEqual(sizes(), [1, 1, 1, 1]);
});

test('a token that nothing follows goes out at the next tick that finds it old enough', () => {
  const { batcher, clock, sizes } = createBatcher();
  batcher.put([token(1, 0)]);
  clock.now = 1;
  batcher.put([token(1, 1)]);
  clock.now = 10;
  batcher.tick();
  assert.deepEqual(sizes(), [1]);
  clock.now = 11;
  batcher.tick();
  batcher.tick();
  assert.deepEqual(sizes(), [1, 1]);
});

test('a token that nothing follows goes out by itself', async () => {
  const { batcher, sizes } = createBatcher();
  batcher.put([token(1, 0)]);
  batcher.put([token(1, 1)]);
  assert.deepEqual(sizes(), [1]);
  await sleep(30);
  assert.deepEqual(sizes(), [1, 1]);
});

test('a number that comes again after its end is a new request', () => {
  const { batcher, clock, sizes } = createBatcher();
  batcher.put([token(1, 0), end(1)]);
  clock.now = 1;
  batcher.put([token(1, 1)]);
  assert.deepEqual(sizes(), [2, 1]);
});
