/** Guests of many tenants in a few processes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../src/errors.ts';
import { SLICE_FUEL } from '../../src/sandbox/limits.ts';
import { endlessHost, fakeHost, passOn, program, rig, streamTokens } from './helpers.ts';

const { sandbox, load, call } = rig({ workers: 2 });
after(() => sandbox.close());

const loop = program('(loop $l (br $l))');
const passing = program(`${passOn} (i32.const 0)`, streamTokens);
/** Computes for about as much fuel as there are characters in its prompt, times 10,000, then answers. */
const computing = program(
  `(local.set $n (i32.mul (local.get $len) (i32.const 1000)))
   (loop $l (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))
   ${passOn} (i32.const 0)`,
  streamTokens,
);

/** What runs have used, as they end. */
function meter() {
  const used: number[] = [];
  return { used, note: ({ fuel }: { fuel: number }) => used.push(fuel) };
}

test('64 guests at once in two processes, one of which loops for ever: the work of all others is done', async () => {
  const [endless, honest] = [await load(loop), await load(passing)];
  const stop = new AbortController();
  const forever = Array.fromAsync(
    call({ program: endless, tenant: 't0', signal: stop.signal, limits: { fuel: 1e15, deadlineMs: 600_000 } }),
  ).catch(error => error.code);
  await sleep(100);
  const pieces = Array.from({ length: 50 }, (_, i) => `${i} `);
  // Some of them are of the tenant whose other guest loops.
  const others = Array.from({ length: 63 }, (_, i) =>
    Array.fromAsync(call({ program: honest, tenant: `t${i % 16}`, host: fakeHost(pieces).host })),
  );
  for (const answer of await Promise.all(others)) assert.deepEqual(answer, pieces);
  assert.equal(sandbox.stats().processes, 2);
  assert.equal(sandbox.stats().runs, 1);
  stop.abort();
  assert.equal(await forever, 'request_cancelled');
});

test('the same program on the same input uses the same fuel, whatever goes on beside it', async () => {
  const tested = await load(computing);
  const { used, note } = meter();
  const stop = new AbortController();
  const prompt = 'x'.repeat(10_000);
  await Array.fromAsync(call({ program: tested, prompt, used: note }));
  const beside = await load(loop);
  const forever = Array.fromAsync(call({ program: beside, signal: stop.signal, limits: { fuel: 1e15 } })).catch(
    () => {},
  );
  const runs = Array.from({ length: 6 }, () => Array.fromAsync(call({ program: tested, prompt, used: note })));
  await Promise.all(runs);
  stop.abort();
  await forever;
  assert.ok(used[0]! > 3 * SLICE_FUEL, `${used[0]}`);
  assert.deepEqual(new Set(used).size, 1);
  // And it ends just where that is not allowed.
  const spent = meter();
  await Array.fromAsync(call({ program: tested, prompt, limits: { fuel: used[0]! }, used: spent.note }));
  const limits = { fuel: used[0]! - 1 };
  await assert.rejects(Array.fromAsync(call({ program: tested, prompt, limits, used: spent.note })), {
    code: 'program_out_of_fuel',
  });
  assert.equal(spent.used[0], used[0]);
});

test('a guest that has been suspended for fuel goes on where it was, with what is its own', async () => {
  // Each fills its memory with its own character in small steps, and reads all of it at the end.
  const filling = program(
    `(local $char i32) (local $at i32) (local $bad i32)
     (local.set $char (i32.load8_u (local.get $prompt)))
     (loop $times
       (local.set $at (i32.const 2000))
       (loop $fill
         (local.set $bad (i32.or (local.get $bad) (i32.and
           (i32.ne (i32.load8_u (local.get $at)) (i32.const 0))
           (i32.ne (i32.load8_u (local.get $at)) (local.get $char)))))
         (i32.store8 (local.get $at) (local.get $char))
         (br_if $fill (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 60000))))
       (br_if $times (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 30))))
     (if (local.get $bad) (then (unreachable)))
     (drop (call $stream (i32.const 2000) (i32.const 3))) (i32.const 0)`,
    '(func (export "realm_alloc") (param i32) (result i32) (i32.const 512))',
  );
  const tested = await load(filling);
  const names = [...'abcdefghijkl'];
  const answers = names.map(name => Array.fromAsync(call({ program: tested, tenant: name, prompt: name })));
  const texts = (await Promise.all(answers)).map(pieces => pieces.join(''));
  assert.deepEqual(
    texts,
    names.map(name => name.repeat(3)),
  );
});

test('what the memories of all guests take together is bounded; growing beyond it fails in the guest alone', async () => {
  const own = rig({ workers: 1, memoryMb: 16 });
  // 8 MB, and waits.
  const large = program(`(drop (memory.grow (i32.const 127))) ${passOn} (i32.const 0)`, streamTokens);
  const tested = await own.sandbox.load('large', large, { memoryMb: 64 });
  const { host } = endlessHost();
  const stop = new AbortController();
  const limits = { memoryMb: 64 };
  const holding = own.call({ program: tested, host, limits, signal: stop.signal })[Symbol.asyncIterator]();
  await holding.next();
  const hog = program('(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)');
  const hungry = await own.sandbox.load('hog', hog, { memoryMb: 64 });
  await assert.rejects(Array.fromAsync(own.call({ program: hungry, tenant: 'other', limits })), {
    code: 'program_out_of_memory',
    message: /its process had no memory left/,
  });
  for (let i = 0; i < 5; i++) assert.equal((await holding.next()).value, 'x');
  stop.abort();
  await assert.rejects(async () => {
    while (!(await holding.next()).done);
  });
  // What it had is given back.
  assert.deepEqual((await Array.fromAsync(own.call({ program: tested, limits }))).join(''), 'Hello, world');
  await own.sandbox.close();
});

/** Pids of guests' processes that are this one's children. */
function guestProcesses(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('guest-process');
      } catch {
        return false;
      }
    });
}

test('a process that dies is replaced: who had said nothing begins again, others fail', {
  skip: process.platform !== 'linux',
}, async () => {
  const own = rig({ workers: 1 });
  const before = new Set(guestProcesses());
  const silent = await own.load(computing);
  const speaking = await own.load(passing);
  const { host } = endlessHost();
  const spoken = own.call({ program: speaking, host })[Symbol.asyncIterator]();
  await spoken.next();
  const quiet = Array.fromAsync(own.call({ program: silent, prompt: 'x'.repeat(100_000) }));
  await sleep(100);
  for (const pid of guestProcesses()) if (!before.has(pid)) process.kill(pid, 'SIGKILL');
  const ends = async () => {
    while (!(await spoken.next()).done);
  };
  await assert.rejects(ends, (error: unknown) => {
    assert.ok(error instanceof RealmError);
    assert.equal(error.code, 'program_failed');
    assert.match(error.message, /SIGKILL/);
    return true;
  });
  assert.equal((await quiet).join(''), 'Hello, world');
  assert.deepEqual(await Array.fromAsync(own.call({ program: speaking })), ['Hello', ', ', 'world']);
  await own.sandbox.close();
});
