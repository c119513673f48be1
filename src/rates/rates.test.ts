import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unmetered } from '../metering/meter.ts';
import { LocalRates } from './book.ts';
import { duration } from './headers.ts';
import { withRates } from './meter.ts';
import type { Rate } from './rate.ts';
import { Rates } from './rates.ts';

const owner = { tenant: 'acme', keyId: 'key_a' };
const other = { tenant: 'acme', keyId: 'key_b' };

function rates(tenant: Rate | undefined, key?: Rate) {
  const clock = { now: 0 };
  const book = new LocalRates({ now: () => clock.now });
  return { clock, rates: new Rates(book, ({ keyId }) => ({ tenant, key: keyId === 'key_a' ? key : undefined })) };
}

test('requests pass as fast as the tenant’s limit says, and the refusal has the headers of the limit that denied', async () => {
  const { clock, rates: own } = rates({ requestsPerMinute: 2, tokensPerMinute: 600 });
  const first = await own.admit(owner, '1');
  assert.deepEqual(first.headers(), {
    'x-ratelimit-limit-requests': '2',
    'x-ratelimit-remaining-requests': '1',
    'x-ratelimit-reset-requests': '30s',
    'x-ratelimit-limit-tokens': '600',
    'x-ratelimit-remaining-tokens': '600',
    'x-ratelimit-reset-tokens': '0ms',
  });
  clock.now = 500;
  await own.admit(owner, '2');
  await assert.rejects(own.admit(owner, '3'), {
    code: 'rate_limit_exceeded',
    retryAfter: 30,
    message: "The tenant's limit of 2 requests a minute (requests_per_minute) leaves 0; try again in 30 s",
    headers: {
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '59.5s',
    },
  });
  clock.now = 30_000;
  await own.admit(owner, '3');
});

test('a key has limits of its own within those of its tenant; what one denies takes nothing of the other', async () => {
  const { rates: own } = rates({ requestsPerMinute: 3 }, { requestsPerMinute: 1 });
  await own.admit(owner, '1');
  for (let i = 0; i < 5; i++) await assert.rejects(own.admit(owner, '2'), /The key's limit of 1 requests a minute/);
  await own.admit(other, '3');
  await own.admit(other, '4');
  await assert.rejects(own.admit(other, '5'), /The tenant's limit of 3 requests a minute/);
});

test('so many requests run at once; one that is refused for its rate leaves its place', async () => {
  const { rates: own, clock } = rates({ concurrent: 2, requestsPerMinute: 3 });
  const first = await own.admit(owner, '1');
  await own.admit(owner, '2');
  await assert.rejects(own.admit(owner, '3'), {
    code: 'rate_limit_exceeded',
    retryAfter: 1,
    message: /\(concurrent\)/,
  });
  first.release();
  first.release();
  const third = await own.admit(owner, '3');
  third.release();
  await assert.rejects(own.admit(owner, '4'), /requests a minute/);
  clock.now = 60_000;
  await own.admit(owner, '5');
});

const call = { ...owner, requestId: 'req', call: 0, counted: new Set<string>(), model: 'm', adapter: undefined };

test('a call takes the most tokens that it can use and gives back the rest', async () => {
  const { rates: own } = rates({ tokensPerMinute: 100 });
  const meter = withRates(unmetered, own);
  const first = await meter.reserve({ ...call, promptTokens: 20, maxTokens: 40 });
  await assert.rejects(meter.reserve({ ...call, promptTokens: 20, maxTokens: 40 }), {
    code: 'rate_limit_exceeded',
    retryAfter: 12,
    message: /limit of 100 tokens a minute \(tokens_per_minute\) leaves 40 for the 60 that this may take/,
  });
  first.count({ promptTokens: 20, cachedTokens: 0, completionTokens: 5 });
  await first.settle('complete');
  await first.settle('failed');
  await meter.reserve({ ...call, promptTokens: 20, maxTokens: 55 });
});

test('what can never pass says so and is not to be sent again; what nobody asked for is cut', async () => {
  const { rates: own } = rates({ tokensPerMinute: 100 });
  const meter = withRates(unmetered, own);
  await assert.rejects(meter.reserve({ ...call, promptTokens: 20, maxTokens: 81 }), error => {
    const { retryAfter, headers, message } = error as { retryAfter?: number; headers: object; message: string };
    assert.equal(retryAfter, undefined);
    assert.equal((headers as Record<string, string>)['x-should-retry'], 'false');
    return /needs up to 101 tokens.*never lets as many pass/.test(message);
  });
  const openEnded = await meter.reserve({ ...call, promptTokens: 20, maxTokens: 1000, openEnded: true });
  assert.equal(openEnded.maxTokens, 25);
});

test('what the next meter refuses takes no tokens', async () => {
  const { rates: own } = rates({ tokensPerMinute: 100 });
  const refusing = withRates({ reserve: () => Promise.reject(new Error('no')) }, own);
  for (let i = 0; i < 3; i++) await assert.rejects(refusing.reserve({ ...call, promptTokens: 50, maxTokens: 50 }));
  await withRates(unmetered, own).reserve({ ...call, promptTokens: 50, maxTokens: 50 });
});

test('whatever is asked, over any window no more pass than a minute’s worth and what is earned in it', async () => {
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5000 })), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(gaps, fc.integer({ min: 1, max: 100 }), async (after, requestsPerMinute) => {
      const { clock, rates: own } = rates({ requestsPerMinute });
      const passed: number[] = [];
      for (const [i, ms] of after.entries()) {
        clock.now += ms;
        const before = passed.length;
        await own.admit(owner, String(i)).then(
          () => passed.push(clock.now),
          () => {},
        );
        // None is refused that could pass.
        const room = passed.every((at, k) => {
          const window = clock.now - at;
          return before - k + 1 <= requestsPerMinute + (requestsPerMinute * window) / 60_000;
        });
        if (room) assert.equal(passed.length, before + 1);
      }
      for (let i = 0; i < passed.length; i++)
        for (let k = i; k < passed.length; k++) {
          const most = requestsPerMinute + (requestsPerMinute * (passed[k]! - passed[i]!)) / 60_000;
          assert.ok(k - i + 1 <= most + 0.01);
        }
    }),
  );
});

test('durations are written as OpenAI writes them', () => {
  assert.deepEqual([0, 19.2, 1500, 60_000, 361_000].map(duration), ['0ms', '20ms', '1.5s', '1m0s', '6m1s']);
});
