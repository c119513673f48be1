/** Several servers that share their limits through Redis, and what they do without it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalRates, type RateBook } from '../../src/rates/book.ts';
import { minuteMs } from '../../src/rates/gcra.ts';
import { SharedRates } from '../../src/rates/redis.ts';
import { noRedis, type Redis, startRedis } from '../support/redis.ts';

async function withServers(
  count: number,
  run: (servers: readonly SharedRates[], redis: Redis, changes: string[]) => Promise<void>,
): Promise<void> {
  const redis = await startRedis();
  const changes: string[] = [];
  const onChange = (shared: boolean, servers: number) => changes.push(`${shared} ${servers}`);
  const open = () => SharedRates.open(redis.url, { onChange, beatMs: 50 });
  const servers = await Promise.all(Array.from({ length: count }, open));
  // Each has heard of the others: a beat after the last was there.
  await sleep(500);
  try {
    await run(servers, redis, changes);
  } finally {
    await Promise.all(servers.map(server => server.close()));
    await redis.close();
  }
}

async function until(met: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !met(); i++) await sleep(20);
  assert.ok(met(), 'not within ten seconds');
}

const ask = (key: string, perMinute: number, units = 1, refundable = false) => [{ key, perMinute, units, refundable }];

/** Asks all servers in turn as fast as it goes, and says when how many passed. */
async function hammer(
  servers: readonly RateBook[],
  ms: number,
  asks: ReturnType<typeof ask>,
  passed: number[] = [],
): Promise<number[]> {
  const end = performance.now() + ms;
  for (let i = 0; performance.now() < end; i++) {
    const verdict = await servers[i % servers.length]!.take(asks);
    if (verdict.granted) passed.push(performance.now());
    // Others have their turns too.
    if (i % 20 === 0) await sleep(1);
  }
  return passed;
}

/** The most that passed, compared with what may pass in any window. */
function worst(passed: readonly number[], perMinute: number): number {
  let most = 0;
  for (let i = 0; i < passed.length; i += 7)
    for (let k = i; k < passed.length; k += 7)
      most = Math.max(most, (k - i + 1) / (perMinute + (perMinute * (passed[k]! - passed[i]!)) / minuteMs));
  return most;
}

test('three servers let pass what one would', { skip: noRedis }, async () => {
  await withServers(3, async servers => {
    const passed = await hammer(servers, 2000, ask('realm:rate:{a}:requests', 600));
    assert.ok(worst(passed, 600) <= 1.02, `${worst(passed, 600)}`);
    assert.ok(passed.length >= 600 + 0.95 * 20, `${passed.length}`);
  });
});

test('what one server gives back the others can take', { skip: noRedis }, async () => {
  await withServers(2, async ([first, second]) => {
    const key = 'realm:rate:{a}:tokens';
    const verdict = await first!.take(ask(key, 100, 100, true));
    assert.ok(verdict.granted);
    assert.equal((await second!.take(ask(key, 100, 50, true))).granted, false);
    verdict.grants[0]!.giveBack(80);
    verdict.grants[0]!.giveBack(80);
    await sleep(50);
    const other = await second!.take(ask(key, 100, 80, true));
    assert.ok(other.granted);
    assert.ok(second!.level(key, 100).remaining <= 1);
    assert.equal((await first!.take(ask(key, 100, 10, true))).granted, false);
  });
});

test('Redis gives back no more than is still owed, as a single process does', { skip: noRedis }, async () => {
  await withServers(2, async ([first, second]) => {
    const key = 'realm:rate:{a}:tokens';
    const perMinute = 60_000;
    const clock = performance.now();
    const alone = new LocalRates();
    for (const [one, two] of [
      [first!, second!],
      [alone, alone],
    ]) {
      const early = await one!.take(ask(key, perMinute, 200, true));
      assert.ok(early.granted);
      // All of it has been earned again.
      await sleep(300);
      assert.ok((await two!.take(ask(key, perMinute, 59_500, true))).granted);
      early.grants[0]!.giveBack(200);
      await sleep(20);
      const { remaining } = one!.level(key, perMinute);
      const late = await one!.take(ask(key, perMinute, 600, true));
      assert.equal(late.granted, false, `${remaining} of 500 after ${performance.now() - clock} ms`);
    }
  });
});

test('whatever servers take and give back, no window has more used than one would let pass', {
  skip: noRedis,
}, async () => {
  await withServers(3, async servers => {
    const perMinute = 60_000;
    const key = 'realm:rate:{a}:tokens';
    const used: { at: number; units: number }[] = [];
    const call = async (server: SharedRates, units: number, part: number, ms: number) => {
      const verdict = await server.take(ask(key, perMinute, units, true));
      if (!verdict.granted) return;
      used.push({ at: performance.now(), units: Math.ceil(part * units) });
      await sleep(ms);
      verdict.grants[0]!.giveBack(units - Math.ceil(part * units));
    };
    const calls: Promise<void>[] = [];
    for (const end = performance.now() + 3000; performance.now() < end; ) {
      for (const server of servers)
        calls.push(call(server, Math.ceil(Math.random() * 3000), Math.random() ** 2, Math.random() * 500));
      await sleep(3);
    }
    await Promise.all(calls);
    const total = used.reduce((sum, { units }) => sum + units, 0);
    assert.ok(total > 0.7 * 63_000, `${total}`);
    let most = 0;
    for (let i = 0; i < used.length; i++) {
      let sum = 0;
      for (let k = i; k < used.length; k++) {
        sum += used[k]!.units;
        most = Math.max(most, sum / (perMinute + (perMinute * (used[k]!.at - used[i]!.at)) / minuteMs));
      }
    }
    assert.ok(most <= 1.02, `${most}`);
  });
});

test('a limit that denies takes nothing of another', { skip: noRedis }, async () => {
  await withServers(1, async ([server]) => {
    const both = [...ask('realm:rate:{a}:x', 100), ...ask('realm:rate:{a}:y', 1)];
    assert.ok((await server!.take(both)).granted);
    const verdict = await server!.take(both);
    assert.ok(!verdict.granted && verdict.denier === 1 && verdict.waitMs > 50_000);
    assert.equal(verdict.levels[0]!.remaining, 99);
  });
});

test('requests at once are shared, and a server that died holds nobody up for long', { skip: noRedis }, async () => {
  await withServers(2, async ([first, second], redis, changes) => {
    const key = 'realm:rate:{a}:concurrent';
    assert.equal(await first!.hold(key, '1', 2), true);
    assert.equal(await second!.hold(key, '2', 2), true);
    assert.equal(await first!.hold(key, '3', 2), false);
    second!.release(key, '2');
    assert.equal(await first!.hold(key, '3', 2), true);
    await redis.kill();
    // Alone, each has its part: the first has two already.
    assert.equal(await first!.hold(key, '4', 2), false);
    assert.equal(await second!.hold(key, '5', 2), true);
    assert.equal(await second!.hold(key, '6', 2), false);
    await redis.start();
    // What runs is told to Redis again, by each server before it shares.
    await until(() => changes.filter(each => each.startsWith('true')).length >= 2);
    assert.equal(await second!.hold(key, '7', 4), true);
    assert.equal(await second!.hold(key, '8', 4), false);
  });
});

test('without Redis each server allows its part, with an alarm, and shares again once it is back', {
  skip: noRedis,
}, async () => {
  await withServers(3, async (servers, redis, changes) => {
    const asks = ask('realm:rate:{a}:requests', 600);
    const passed = await hammer(servers, 1000, asks);
    await redis.kill();
    await hammer(servers, 2000, asks, passed);
    const alone = passed.length;
    const told = (change: string) => changes.filter(each => each === change).length;
    assert.ok(told('false 3') >= 3, `${changes}`);
    await redis.start();
    await hammer(servers, 3000, asks, passed);
    assert.ok(worst(passed, 600) <= 1.1, `${worst(passed, 600)}, ${alone} of ${passed.length} until it came back`);
    // A minute's worth at once, then what is earned.
    assert.ok(passed.length >= 600 + 0.3 * 60, `${passed.length}`);
    assert.ok(told('true 3') >= 3, `${changes}`);
  });
});

test('a tenant that asks for the first time while Redis is lost gets no minute’s worth from each server', {
  skip: noRedis,
}, async () => {
  await withServers(3, async (servers, redis) => {
    await redis.kill();
    const passed = await hammer(servers, 1000, ask('realm:rate:{new}:requests', 600));
    assert.ok(passed.length > 0 && passed.length <= 30 + 10 + 3, `${passed.length}`);
  });
});
