/** Places that end with their runs, in this very thread: as a browser's workers are, without a browser. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrowserSandbox } from '../../src/sandbox/browser-sandbox.ts';
import type { GuestTransport, TransportEvents } from '../../src/sandbox/guest-host.ts';
import { GuestLoop } from '../../src/sandbox/guest-loop.ts';
import { endlessHost, fakeHost, passOn, program, rigOf, streamTokens } from './helpers.ts';

const places = {
  started: 0,
  all: new Set<object>(),
  get open() {
    return this.all.size;
  },
};

function startHere(events: TransportEvents): GuestTransport {
  places.started++;
  const loop = new GuestLoop(batch => setImmediate(() => events.received(batch)), { shared: true });
  places.all.add(loop);
  return {
    send: batch => loop.receive(structuredClone(batch)),
    kill: async () => void places.all.delete(loop),
    usage: () => undefined,
  };
}

const sandbox = new BrowserSandbox(startHere);
const { load, call, run } = rigOf(sandbox, { runs: 2 });
after(() => sandbox.close());
const passing = program(`${passOn} (i32.const 0)`, streamTokens);

test('each run has a place, which ends with it', async () => {
  const before = places.started;
  assert.deepEqual(await run(passing), ['Hello', ', ', 'world']);
  assert.deepEqual(await run(passing), ['Hello', ', ', 'world']);
  assert.deepEqual([places.started - before, places.open], [2, 0]);
});

test('a tenant has so many runs at once, and the others wait', async () => {
  const tested = await load(passing);
  let [now, most] = [0, 0];
  const { host } = fakeHost([], {
    async *generate() {
      most = Math.max(most, ++now);
      await sleep(20);
      yield 'done';
      now--;
    },
  });
  const runs = Array.from({ length: 5 }, () => Array.fromAsync(call({ program: tested, host })));
  const stop = new AbortController();
  const leaves = Array.fromAsync(call({ program: tested, host, signal: stop.signal }));
  stop.abort();
  await assert.rejects(leaves, { code: 'request_cancelled' });
  assert.deepEqual(await Promise.all(runs), Array(5).fill(['done']));
  assert.equal(most, 2);
  assert.deepEqual([sandbox.stats().runs, sandbox.stats().waiting, places.open], [0, 0, 0]);
});

test('whoever stops reading has cancelled', async () => {
  const { host, state } = endlessHost();
  for await (const _ of call({ program: await load(passing), host })) break;
  assert.ok(state.aborted);
  assert.equal(places.open, 0);
});

test('what a run used is told', async () => {
  let used = { fuel: 0, memory: 0 };
  await run(passing, {
    used: use => {
      used = use;
    },
  });
  assert.ok(used.fuel > 0 && used.memory >= 65_536, JSON.stringify(used));
});

test('a module that does not compile is refused, and a place that cannot be started ends its run alone', async () => {
  const broken = new BrowserSandbox(events => {
    setImmediate(() => events.failed({ kind: 'died', message: 'it could not be loaded' }));
    return { send: () => {}, kill: async () => {}, usage: () => undefined };
  });
  const other = rigOf(broken);
  await assert.rejects(other.run(passing), {
    code: 'program_failed',
    message: /^Program test: it could not be loaded\.$/,
  });
  const none = new BrowserSandbox(() => {
    throw new Error('no worker');
  });
  await assert.rejects(rigOf(none).run(passing), { message: 'no worker' });
  assert.equal(none.stats().runs, 0);
  await assert.rejects(load(new Uint8Array(8)), { code: 'program_invalid' });
});

test('runs end with the sandbox, and none begins in it', async () => {
  const own = new BrowserSandbox(startHere);
  const { host } = endlessHost();
  const other = rigOf(own, { runs: 1 });
  const tested = await other.load(passing);
  const [one, waits] = [1, 2].map(() => Array.fromAsync(other.call({ program: tested, host })));
  await sleep(30);
  const ended = Promise.all([one, waits].map(each => assert.rejects(each!, { code: 'shutting_down' })));
  await own.close();
  await ended;
  await assert.rejects(other.run(passing), { code: 'shutting_down' });
  assert.equal(places.open, 0);
});
