import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type Clock, defaultTimings } from './clock.ts';
import type { Batch } from './ledger.ts';
import { LedgerMeter } from './ledger-meter.ts';

/** A meter on a store that takes all it is told, and how many calls each transaction had. */
async function setUp() {
  const batches: number[] = [];
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    now: Date.now,
    steady: () => 0,
    after: (ms, run) => {
      timers.set(run, ms);
      return () => timers.delete(run);
    },
  };
  const ledger = {
    join: async () => {},
    commit: async ({ ended }: Batch) => {
      batches.push(ended.length);
      return [];
    },
    replicas: async () => [],
    spent: async () => new Map(),
    bury: async () => 0,
  };
  const meter = await LedgerMeter.open({
    ledger,
    exclusive: true,
    budgetsOf: () => [],
    priceOf: () => undefined,
    clock,
  });
  let call = 0;
  const granted = () =>
    meter.reserve({
      tenant: 't',
      keyId: 'k',
      requestId: 'q',
      call: call++,
      counted: new Set(),
      model: 'm',
      adapter: undefined,
      promptTokens: 1,
      maxTokens: 1,
    });
  /** Lets pass what takes no longer. */
  const pass = async (ms: number) => {
    for (const [run, at] of [...timers])
      if (at <= ms) {
        timers.delete(run);
        run();
      }
    await new Promise(setImmediate);
  };
  return { granted, batches, pass };
}

test('calls that nobody waits for are put on record together, as soon as somebody does', async () => {
  const { granted, batches, pass } = await setUp();
  const { promise: wanted, resolve: want } = Promise.withResolvers<void>();
  const done = mock.fn();
  for (let i = 0; i < 5; i++) void (await granted()).settle('complete', wanted).then(done);
  await pass(defaultTimings.groupMs);
  assert.deepEqual(batches, []);
  want();
  await pass(0);
  await pass(0);
  assert.deepEqual(batches, [5]);
  assert.equal(done.mock.callCount(), 5);
});

test('they go with the first call that somebody waits for', async () => {
  const { granted, batches, pass } = await setUp();
  const never = new Promise<void>(() => {});
  void (await granted()).settle('complete', never);
  await pass(0);
  assert.deepEqual(batches, []);
  const waited = (await granted()).settle('complete');
  await pass(0);
  await waited;
  assert.deepEqual(batches, [2]);
});

test('they wait no longer than they may', async () => {
  const { granted, batches, pass } = await setUp();
  const never = new Promise<void>(() => {});
  for (let i = 0; i < 3; i++) void (await granted()).settle('complete', never);
  await pass(defaultTimings.unwantedMs);
  assert.deepEqual(batches, [3]);
});
