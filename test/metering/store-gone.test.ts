import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultTimings } from '../../src/metering/clock.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { ModelLedger } from './model-ledger.ts';

const timings = { ...defaultTimings, beatMs: 50, recordMs: 150, aloneMs: 1_500 };

function setUp(limit: number) {
  let gone = false;
  const ledger = new ModelLedger();
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async batch => {
    if (gone) throw new Error('no connection');
    return commit(batch);
  };
  const budgetsOf = () => [{ unit: 'tokens', limit, period: 'total' }] as const;
  const meter = LedgerMeter.open({ ledger, exclusive: false, budgetsOf, priceOf: () => undefined, timings });
  let calls = 0;
  const reserve = async (maxTokens: number) => {
    const owner = { tenant: 't', keyId: undefined, requestId: `r${calls++}`, call: 0, counted: new Set<string>() };
    return (await meter).reserve({ ...owner, model: 'm', adapter: undefined, promptTokens: 1, maxTokens });
  };
  const setGone = (value: boolean) => {
    gone = value;
  };
  return { ledger, meter, reserve, setGone };
}

test('without the store: leases last, ends wait for a while and are named errors then, and nothing is lost', async () => {
  const { ledger, meter, reserve, setGone } = setUp(10_000);
  const first = await reserve(99);
  setGone(true);
  const second = await reserve(99);
  first.count({ promptTokens: 1, cachedTokens: 0, completionTokens: 7 });
  await assert.rejects(first.settle('complete'), { code: 'store_unavailable', retryAfter: 5 });
  // The failure has its own words for the client.
  await second.settle('failed');
  // More than the lease has.
  await assert.rejects(reserve(9_500), { code: 'store_unavailable' });
  await sleep(1_600);
  await assert.rejects(reserve(1), { code: 'store_unavailable' }, 'after a while nothing is granted any more');
  setGone(false);
  for (let i = 0; i < 200 && ledger.calls.size < 2; i++) await sleep(20);
  assert.deepEqual(
    [...ledger.calls.values()].map(({ request_id, status, output_tokens }) => [request_id, status, output_tokens]),
    [
      ['r0', 'complete', 7],
      ['r1', 'failed', 0],
    ],
  );
  await (await reserve(9_500)).settle('complete');
  await (await meter).close();
});

test('a short outage is only a wait', async () => {
  const { meter, reserve, setGone, ledger } = setUp(10_000);
  setGone(true);
  setTimeout(() => setGone(false), 120);
  const reservation = await reserve(99);
  setGone(true);
  setTimeout(() => setGone(false), 60);
  await reservation.settle('complete');
  assert.equal(ledger.calls.size, 1);
  await (await meter).close();
});
