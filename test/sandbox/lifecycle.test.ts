import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import { MAX_UNHANDLED, MAX_UNREAD_PIECES } from '../../src/sandbox/limits.ts';
import type { Program } from '../../src/sandbox/types.ts';
import { endlessHost, fakeHost, passOn, program, rig, streamTokens } from './helpers.ts';

const { sandbox, load, call } = rig({}, { runs: 3 });
after(() => sandbox.close());
const passing = program(`${passOn} (i32.const 0)`, streamTokens);

/** Runs that were given a worker and have not ended, by watching what their hosts do. */
function countingHost() {
  const count = { now: 0, most: 0 };
  const { host } = fakeHost([], {
    async *generate() {
      count.most = Math.max(count.most, ++count.now);
      await sleep(20);
      yield 'done';
      count.now--;
    },
  });
  return { host, count };
}

for (const trusted of [true, false]) {
  test(`a cancelled request stops its generation within a token (trusted: ${trusted})`, async () => {
    const tested = await load(passing, trusted);
    const { host, state } = endlessHost();
    const controller = new AbortController();
    let read = 0;
    let pieces = 0;
    const reading = async () => {
      for await (const _ of call({ program: tested, host, signal: controller.signal })) {
        if (++read !== 5) continue;
        controller.abort();
        pieces = state.pieces;
      }
    };
    await assert.rejects(reading(), { code: 'request_cancelled' });
    assert.equal(read, 5);
    assert.ok(state.aborted);
    await sleep(20);
    assert.ok(state.pieces <= pieces + 1, `${state.pieces - pieces} pieces later`);
  });

  test(`whoever stops reading has cancelled (trusted: ${trusted})`, async () => {
    const tested = await load(passing, trusted);
    const { host, state } = endlessHost();
    for await (const _ of call({ program: tested, host })) break;
    assert.ok(state.aborted);
    assert.deepEqual(await Array.fromAsync(call({ program: tested })), ['Hello', ', ', 'world']);
  });
}

test('a request that was cancelled before it began never runs', async () => {
  const tested = await load(passing);
  const { host, calls } = fakeHost();
  await assert.rejects(Array.fromAsync(call({ program: tested, host, signal: AbortSignal.abort() })), {
    code: 'request_cancelled',
  });
  assert.equal(calls.length, 0);
});

test('50 requests at once share one worker, each with its own answer', async () => {
  const tested = await load(await readBuiltinProgram('default'), true);
  const run = async (index: number) => {
    const pieces = Array.from({ length: 20 }, (_, piece) => `${index}:${piece} `);
    const { host, calls } = fakeHost(pieces);
    const prompt = `prompt ${index}`;
    assert.deepEqual(await Array.fromAsync(call({ program: tested, host, prompt })), pieces);
    assert.equal(calls[0]?.prompt, prompt);
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => run(index)));
});

test('a bounded number of runs of one tenant is open at once; the others wait', async () => {
  const tested = await load(passing);
  const { host, count } = countingHost();
  const runs = Array.from({ length: 20 }, () => Array.fromAsync(call({ program: tested, host })));
  for (const pieces of await Promise.all(runs)) assert.deepEqual(pieces, ['done']);
  assert.equal(count.most, 3);
});

test('a program in the queue can be cancelled, and its deadline counts', async () => {
  const tested = await load(passing);
  const { host } = endlessHost();
  const stop = new AbortController();
  const running = Array.from({ length: 3 }, () =>
    Array.fromAsync(call({ program: tested, host, signal: stop.signal })).catch(error => error.code),
  );
  await sleep(30);
  const cancel = new AbortController();
  const waiting = Array.fromAsync(call({ program: tested, signal: cancel.signal }));
  const late = Array.fromAsync(call({ program: tested, limits: { deadlineMs: 50 } }));
  cancel.abort();
  await assert.rejects(waiting, { code: 'request_cancelled' });
  await assert.rejects(late, { code: 'program_deadline' });
  const next = Array.fromAsync(call({ program: tested }));
  stop.abort();
  assert.deepEqual(await Promise.all(running), Array(3).fill('request_cancelled'));
  assert.deepEqual(await next, ['Hello', ', ', 'world']);
});

test('whoever comes when all places are taken waits for the first that is free, tenants in turn', async () => {
  const own = rig({ workers: 1, maxInstances: 2 });
  const tested = await own.load(passing);
  const stops = [new AbortController(), new AbortController()];
  const { host } = endlessHost();
  const running = stops.map(({ signal }) =>
    Array.fromAsync(own.call({ program: tested, tenant: 'a', host, signal })).catch(error => error.code),
  );
  const order: string[] = [];
  const waiting = ['a', 'a', 'b'].map(tenant =>
    Array.fromAsync(own.call({ program: tested, tenant })).then(() => order.push(tenant)),
  );
  await sleep(300);
  assert.deepEqual(order, []);
  assert.deepEqual([own.sandbox.stats().runs, own.sandbox.stats().waiting], [2, 3]);
  stops[0]!.abort();
  await Promise.all(waiting);
  assert.equal(order[0], 'b');
  stops[1]!.abort();
  assert.deepEqual(await Promise.all(running), ['request_cancelled', 'request_cancelled']);
  await own.sandbox.close();
});

test('all tenants share the processes, however many runs they have', async () => {
  const own = rig({ workers: 3 });
  const tested = await own.load(passing);
  const run = (tenant: string) => Array.fromAsync(own.call({ program: tested, tenant }));
  await Promise.all(['a', 'b', 'a', 'b', 'a', 'c', 'd', 'e'].map(run));
  assert.equal(own.sandbox.stats().processes, 3);
  assert.equal(own.sandbox.stats().runs, 0);
  await own.sandbox.close();
  assert.equal(own.sandbox.stats().processes, 0);
});

test('a reader that falls behind holds the generation back', async () => {
  const tested = await load(passing);
  const { host, state } = endlessHost();
  const reading = call({ program: tested, host })[Symbol.asyncIterator]();
  await reading.next();
  // It is held back once nothing comes any more, however slow the machine is.
  let before = 0;
  while (state.pieces <= 100 || state.pieces > before) {
    before = state.pieces;
    await sleep(300);
  }
  // Beside what waits for the reader there is what the program has not dealt with.
  assert.ok(state.pieces < MAX_UNREAD_PIECES + MAX_UNHANDLED + 2, `${state.pieces} pieces`);
  await reading.return?.();
});

test('two runs of a program share no memory', async () => {
  const count = `(i32.store8 (i32.const 300) (i32.add (i32.load8_u (i32.const 300)) (i32.const 49)))
    (drop (call $stream (i32.const 300) (i32.const 1))) (i32.const 0)`;
  const tested = await load(program(count), true);
  for (let run = 0; run < 3; run++) assert.deepEqual(await Array.fromAsync(call({ program: tested })), ['1']);
});

test('closing the sandbox ends what runs and refuses the rest', async () => {
  const own = rig({}, { runs: 1 });
  const trusted = await own.load(passing, true);
  const untrusted = await own.load(passing);
  const { host } = endlessHost();
  const runs = [trusted, untrusted, untrusted].map(each => Array.fromAsync(own.call({ program: each, host })));
  await sleep(50);
  const ends = runs.map(run => assert.rejects(run, { code: 'shutting_down' }));
  await own.sandbox.close();
  await Promise.all(ends);
  await assert.rejects(Array.fromAsync(own.call({ program: trusted })), { code: 'shutting_down' });
});

/** Address space and memory in use, in MB, of this process with all of its threads. */
async function sizes(): Promise<{ reserved: number; resident: number }> {
  const status = await readFile('/proc/self/status', 'utf8');
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024;
  return { reserved: field('VmSize'), resident: field('VmRSS') };
}

test('nothing is kept of 200 runs, however they end', { skip: process.platform !== 'linux' }, async () => {
  // Each uses 2 MB, so that 200 kept ones would be 400 MB.
  const use = '(drop (memory.grow (i32.const 32))) (memory.fill (i32.const 1000) (i32.const 1) (i32.const 2000000))';
  const fine = program(`${use} ${passOn} (i32.const 0)`, streamTokens);
  const traps = program(`${use} ${passOn} (unreachable)`, streamTokens);
  const runs = async (tested: Program, cancel: boolean) => {
    for await (const _ of call({ program: tested })) if (cancel) break;
  };
  const round = async (times: number, trusted: boolean) => {
    const [good, bad] = [await load(fine, trusted), await load(traps, trusted)];
    for (let run = 0; run < times; run++) await runs(run % 3 === 0 ? bad : good, run % 3 === 1).catch(() => {});
  };
  for (const trusted of [true, false]) {
    await round(50, trusted);
    const before = await sizes();
    await round(200, trusted);
    const after = await sizes();
    assert.ok(after.resident - before.resident < 100, `resident: ${before.resident} -> ${after.resident} MB`);
    // V8 reserves gigabytes of addresses for each memory.
    assert.ok(after.reserved - before.reserved < 400_000, `reserved: ${before.reserved} -> ${after.reserved} MB`);
  }
});
