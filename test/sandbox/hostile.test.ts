import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../src/errors.ts';
import { fakeHost, imports, passOn, program, rig, streamTokens, wasm } from './helpers.ts';

const { sandbox, load, run, call } = rig();
after(() => sandbox.close());

const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RealmError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, /file:|\/src\/|node_modules/);
  return true;
};
const loop = '(loop $l (br $l))';
const fresh = '(func (export "realm_new") (result i32) (i32.const 0))';
const parts = (text: string) => wasm(`(module ${imports} (memory (export "memory") 1) ${text})`);
const grow = (pages: string) => `(memory.grow (i32.const ${pages}))`;

test('traps are named', async () => {
  const traps: [string, RegExp][] = [
    ['(unreachable)', /unreachable/],
    ['(i32.div_u (i32.const 1) (local.get $n))', /divide by zero/],
    ['(i32.load (i32.const -8))', /out of bounds/],
    ['(i32.store (i32.const 0x7fffffff) (i32.const 1)) (i32.const 0)', /out of bounds/],
    ['(memory.fill (i32.const 1) (i32.const 1) (i32.const -1)) (i32.const 0)', /out of bounds/],
  ];
  for (const [body, message] of traps) await assert.rejects(run(program(body)), fails('program_trapped', message));
});

test('a trap in realm_new, realm_alloc or realm_on_token ends the run', async () => {
  const generate = `(func (export "generate") (param $model i32) (param $prompt i32) (param $len i32)
    (param $options i32) (result i32) ${passOn} (i32.const 0))`;
  const cases = [
    `${generate} (func (export "realm_new") (result i32) (unreachable))`,
    `${generate} ${fresh} (func (export "realm_alloc") (param i32) (result i32) (unreachable))`,
  ];
  for (const text of cases) await assert.rejects(run(parts(text)), fails('program_trapped', /unreachable/));
  const onToken = '(func (export "realm_on_token") (param i32 i32) (result i32) (unreachable))';
  await assert.rejects(run(program(`${passOn} (i32.const 0)`, onToken)), fails('program_trapped', /unreachable/));
});

test('the start function and realm_alloc may wait for the host', async () => {
  const rest = `${fresh} (func (export "generate") (param i32 i32 i32 i32) (result i32) (i32.const 0))`;
  const ask = '(call $metadata (i32.const 0) (i32.const 0) (i32.const 0))';
  const start = `(func $s (drop ${ask})) (start $s)`;
  assert.deepEqual(await run(parts(`${start} ${rest}`)), []);
  const alloc = `(func (export "realm_alloc") (param i32) (result i32) (drop ${ask}) (i32.const 1024))`;
  assert.deepEqual(await run(parts(`${alloc} ${rest}`)), []);
  // A built-in program's start function runs before it has a memory.
  const early = parts(`(func $s (drop (call $stream (i32.const 0) (i32.const 1)))) (start $s) ${rest}`);
  assert.deepEqual(await Array.fromAsync(call({ program: await load(early, true) })), []);
});

test('endless recursion ends', async () => {
  const more = '(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))';
  await assert.rejects(run(program('(call $f (i32.const 1))', more)), fails('program_trapped', /stack/));
});

test('an allocator that has no room, or answers outside of the memory, ends the run', async () => {
  const alloc = (answer: string) => `(func (export "realm_alloc") (param i32) (result i32) (i32.const ${answer}))`;
  await assert.rejects(run(program('(i32.const 0)', alloc('0'))), fails('program_out_of_memory', /no room/));
  await assert.rejects(run(program('(i32.const 0)', alloc('65530'))), fails('program_failed', /realm_alloc/));
  await assert.rejects(run(program('(i32.const 0)', alloc('-1'))), fails('program_failed', /realm_alloc/));
});

test('an endless loop ends with its fuel, and a request of another tenant goes on beside it', async () => {
  const own = rig({ workers: 1 });
  const hostile = await own.load(program(loop));
  const good = await own.load(program(`${passOn} (i32.const 0)`, streamTokens));
  let ended = false;
  const looping = Array.fromAsync(own.call({ program: hostile })).finally(() => {
    ended = true;
  });
  const ends = assert.rejects(looping, fails('program_out_of_fuel', /2000000000 of fuel.*program_limits\.fuel/));
  assert.deepEqual(await Array.fromAsync(own.call({ program: good, tenant: 'other' })), ['Hello', ', ', 'world']);
  assert.equal(ended, false, 'the good one did not wait for the other');
  await ends;
  assert.equal(own.sandbox.stats().processes, 1);
  await own.sandbox.close();
});

/** Programs that loop for ever, in whatever the host may call. */
const looping = () => {
  const generate = '(func (export "generate") (param i32 i32 i32 i32) (result i32) (i32.const 0))';
  return {
    'the start function': parts(`(func $s ${loop}) (start $s) ${fresh} ${generate}`),
    realm_new: parts(`(func (export "realm_new") (result i32) ${loop}) ${generate}`),
    realm_auto_stream: parts(`(func (export "realm_auto_stream") (result i32) ${loop}) ${fresh} ${generate}`),
    realm_alloc: parts(`(func (export "realm_alloc") (param i32) (result i32) ${loop}) ${fresh} ${generate}`),
    realm_on_token: program(
      `${passOn} (i32.const 0)`,
      `(func (export "realm_on_token") (param i32 i32) (result i32) ${loop})`,
    ),
    // The host calls of a loop that never waits do not count as giving way.
    'a loop of calls': program(`(loop $l (drop (call $stream (i32.const 0) (i32.const 0))) (br $l))`),
  };
};

test('endless loops everywhere end with their fuel, with the deadline, and when they are cancelled', async () => {
  const ends = Object.entries(looping()).flatMap(([name, bytes]) => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    return [
      assert.rejects(run(bytes, { limits: { fuel: 2e7 } }), fails('program_out_of_fuel', /fuel/), name),
      assert.rejects(run(bytes, { limits: { fuel: 1e15, deadlineMs: 100 } }), fails('program_deadline', /100/), name),
      assert.rejects(run(bytes, { limits: { fuel: 1e15 }, signal: stop.signal }), { code: 'request_cancelled' }, name),
    ];
  });
  await Promise.all(ends);
  // They are gone, and not only for whoever had called them.
  const end = Date.now() + 20_000;
  while (sandbox.stats().runs > 0 && Date.now() < end) await sleep(10);
  assert.equal(sandbox.stats().runs, 0);
});

test('the deadline ends a program that waits, and one that always gives way', async () => {
  const { host } = fakeHost([], {
    async *generate(_call, signal) {
      await new Promise(resolve => signal.addEventListener('abort', resolve));
    },
  });
  const waiting = run(program(`${passOn} (i32.const 0)`), { host, limits: { deadlineMs: 100 } });
  await assert.rejects(waiting, fails('program_deadline', /deadline_ms \(100\)/));
  const chatty = program(`(loop $l (drop (call $metadata (i32.const 0) (i32.const 0) (i32.const 0))) (br $l))`);
  await assert.rejects(run(chatty, { limits: { deadlineMs: 50 } }), fails('program_deadline', /deadline_ms/));
});

test('too many host calls or too much text end the program', async () => {
  const chatty = program(`(loop $l (drop (call $metadata (i32.const 0) (i32.const 0) (i32.const 0))) (br $l))`);
  // Programs have the lowest priority: beside other tests so many calls take their time.
  const limits = { deadlineMs: 60_000, hostCalls: 10_000 };
  await assert.rejects(run(chatty, { limits }), fails('program_failed', /10000 host calls/));
  const flood = program(`(loop $l (drop (call $stream (i32.const 0) (i32.const 65536))) (br $l))`);
  await assert.rejects(run(flood), fails('program_failed', /streamed more than/));
});

test('memory is limited, also where the module declares no maximum or a larger one', async () => {
  // Grows page by page until it is refused, and answers with the number of its pages, as one character.
  const body = `(loop $l (br_if $l (i32.ne ${grow('1')} (i32.const -1))))
    (i32.store8 (i32.const 4) (memory.size))
    (drop (call $stream (i32.const 4) (i32.const 1))) (i32.const 0)`;
  for (const memory of ['(memory (export "memory") 1)', '(memory (export "memory") 1 60000)']) {
    assert.deepEqual(await run(program(body, '', memory)), [String.fromCharCode(64)]);
  }
  assert.deepEqual(await run(program(body, '', '(memory (export "memory") 1 40)')), [String.fromCharCode(40)]);
});

test('a program that uses up its memory and gives up is out of memory', async () => {
  const hog = `(loop $l (br_if $l (i32.ne ${grow('4')} (i32.const -1)))) (unreachable)`;
  await assert.rejects(run(program(hog)), fails('program_out_of_memory', /of 4 MB in use.*memory_mb/));
  // With most of its memory free, the same trap is a trap.
  await assert.rejects(run(program('(unreachable)')), fails('program_trapped', /unreachable/));
});

test('a prompt that does not fit is out of memory', async () => {
  const prompt = 'x'.repeat(4 * 1024 * 1024);
  await assert.rejects(run(program('(i32.const 0)'), { prompt }), fails('program_out_of_memory', /no room/));
});

test('tables cannot grow without bound', async () => {
  // table.grow answers -1 when it fails, which makes 0; the old size would make an address without an answer.
  const body = '(i32.add (table.grow $t (ref.null func) (i32.const 100000)) (i32.const 1))';
  assert.deepEqual(await run(program(body, '(table $t 1 funcref)')), []);
});

test('answers outside of the memory fail', async () => {
  for (const address of ['131069', '131072', '-1', '-4', '0x7fffffff']) {
    await assert.rejects(run(program(`(i32.const ${address})`)), fails('program_failed', /it returned/));
  }
  const long = '(i32.store (i32.const 8) (i32.const -1)) (i32.const 8)';
  await assert.rejects(run(program(long)), fails('program_failed', /it returned 8/));
});

test('the failure of one program leaves its worker fit for the next', async () => {
  const own = rig();
  const good = program(`${passOn} (i32.const 0)`, streamTokens);
  for (const bad of ['(unreachable)', loop, '(i32.const -1)']) {
    await assert.rejects(own.run(program(bad), { limits: { fuel: 1e7 } }));
    assert.deepEqual(await own.run(good), ['Hello', ', ', 'world']);
  }
  await own.sandbox.close();
});

test('a trusted program that hangs fails its own and its neighbours, and the next runs', async () => {
  const good = await load(program(`${passOn} (i32.const 0)`, streamTokens), true);
  const bad = await load(program(loop), true);
  await assert.rejects(
    Array.fromAsync(call({ program: bad, limits: { sliceMs: 100 } })),
    fails('program_failed', /100 ms/),
  );
  assert.deepEqual(await Array.fromAsync(call({ program: good })), ['Hello', ', ', 'world']);
});
