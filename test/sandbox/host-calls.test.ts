import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import type { GenOptions } from '../../src/sandbox/types.ts';
import { endlessHost, fakeHost, options, passOn, program, rig, streamTokens } from './helpers.ts';

const { sandbox, load, run, call } = rig();
after(() => sandbox.close());

const MEMORY = 65_536;
const arg = (index: number) => `(i32.load (i32.add (local.get $options) (i32.const ${40 + index * 4})))`;

/** A program that calls `name` with its first stop tokens as arguments and streams `=` and the result in digits. */
function caller(name: string, count: number): Uint8Array {
  const digits = `(func $say (param $n i32) (local $at i32)
    (local.set $at (i32.const 64))
    (i32.store8 (i32.const 70) (i32.const 61)) (drop (call $stream (i32.const 70) (i32.const 1)))
    (if (i32.lt_s (local.get $n) (i32.const 0)) (then
      (i32.store8 (i32.const 63) (i32.const 45)) (drop (call $stream (i32.const 63) (i32.const 1)))
      (local.set $n (i32.sub (i32.const 0) (local.get $n)))))
    (loop $l
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
      (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
      (br_if $l (local.get $n)))
    (drop (call $stream (local.get $at) (i32.sub (i32.const 64) (local.get $at)))))`;
  const args = Array.from({ length: count }, (_, index) => arg(index)).join(' ');
  return program(`(call $say (call ${name} ${args})) (i32.const 0)`, digits);
}

const functions: [string, number][] = [
  ['$generate', 6],
  ['$stream', 2],
  ['$encode', 5],
  ['$decode', 5],
  ['$metadata', 3],
];

test('no numbers that a program passes crash anything', { timeout: 60_000 }, async () => {
  const edges = [0, 1, 3, 4, 63, MEMORY - 1, MEMORY, 2 * MEMORY - 1, 2 * MEMORY, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const number = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(200));
  for (const [name, count] of functions) {
    const tested = await load(caller(name, count), true);
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: count, maxLength: count }), async stopTokens => {
        const said = await Array.fromAsync(call({ program: tested, options: { ...options, stopTokens } }));
        const text = said.join('');
        const result = Number(/=(-?\d+)$/.exec(text)?.[1]);
        assert.ok(result >= -8 && result <= 4 * 1024 * 1024, text.slice(-20));
      }),
      { numRuns: 100 },
    );
  }
});

/** The result of one import with these arguments. */
async function result(name: string, args: number[], host = fakeHost().host): Promise<number> {
  const bytes = caller(name, args.length);
  const said = await run(bytes, { host, options: { ...options, stopTokens: args } });
  return Number(/=(-?\d+)$/.exec(said.join(''))?.[1]);
}

test('bad pointers and lengths are error codes', async () => {
  const size = 2 * MEMORY; // its own page, and one for the input
  const bad: [string, number[]][] = [
    ['$generate', [0, size, 1, 0, 0, 0]],
    ['$generate', [0, 0xffff_ffff, 2, 0, 0, 0]],
    ['$generate', [0, 0, 4, size - 39, 0, 0]],
    ['$generate', [0, 0, 4, 0, size, 1]],
    ['$generate', [0, 0, 4, 0, 1, 0xffff_ffff]],
    ['$stream', [size - 1, 2]],
    ['$stream', [0xffff_ffff, 0xffff_ffff]],
    ['$encode', [0, size, 1, 0, 0]],
    ['$encode', [0, 0, 4, size - 15, 4]],
    ['$encode', [0, 0, 4, 0xffff_fff0, 4]],
    ['$decode', [0, size - 7, 2, 0, 100]],
    ['$decode', [0, 0, 1, size, 100]],
    ['$metadata', [0, size - 1, 100]],
  ];
  for (const [name, args] of bad) {
    assert.equal(await result(name, args), GuestError.invalidPointer, `${name} ${args}`);
  }
  assert.equal(await result('$encode', [0, 0, 5_000_000, 0, 0]), GuestError.invalidArgument);
  assert.equal(await result('$decode', [0, 0, 0x4000_0001, 0, 0]), GuestError.invalidArgument);
});

test('encode, decode and metadata answer with lengths, and never write half', async () => {
  assert.equal(await result('$encode', [0, 1000, 4, 2000, 100]), 4);
  assert.equal(await result('$encode', [0, 1000, 4, 2000, 3]), GuestError.bufferTooSmall);
  assert.equal(await result('$encode', [0, 1000, 4, 0xffff_ffff, 0]), 4, 'room 0 asks for the number');
  assert.equal(await result('$decode', [0, 1000, 4, 2000, 4]), 4);
  assert.equal(await result('$decode', [0, 1000, 4, 2000, 3]), GuestError.bufferTooSmall);
  assert.equal(await result('$metadata', [9, 2000, 100]), '{"model":9}'.length);
  assert.equal(await result('$metadata', [9, 0, 0]), '{"model":9}'.length);
});

test("the host's errors have codes", async () => {
  const codes: [unknown, number][] = [
    [new RealmError('model_not_found', 'no'), GuestError.modelNotFound],
    [new RealmError('context_length_exceeded', 'no'), GuestError.contextTooLong],
    [new RealmError('invalid_request', 'no'), GuestError.invalidArgument],
    [new TypeError('no'), GuestError.generationFailed],
  ];
  for (const [error, code] of codes) {
    const fail = () => {
      throw error;
    };
    const { host } = fakeHost([], { generate: fail, encode: fail, decode: fail, metadata: fail });
    // The program says the code, so it has dealt with the failure of the generation.
    assert.equal(await result('$generate', [0, 0, 0, 0, 0, 0], host), code);
    assert.equal(await result('$encode', [0, 0, 0, 0, 0], host), code);
    assert.equal(await result('$decode', [0, 0, 0, 0, 0], host), code);
    assert.equal(await result('$metadata', [0, 0, 0], host), code);
  }
});

test('realm_host_generate writes the whole answer, cut at the border of a character', async () => {
  const { host } = fakeHost(['ab', 'ü', '🙂', 'z']);
  const into = (room: number) =>
    program(`(local.set $n (call $generate (i32.const 0) (local.get $prompt) (local.get $len) (i32.const 0)
        (i32.const 1000) (i32.const ${room})))
      (drop (call $stream (i32.const 1000) (local.get $n)))
      ;; nothing was written behind the room given
      (i32.load8_u (i32.const ${1000 + room}))`);
  for (const [room, text] of [
    [9, 'abü🙂z'],
    [8, 'abü🙂'],
    [7, 'abü'],
    [3, 'ab'],
    [0, ''],
  ] as const) {
    assert.equal((await run(into(room), { host })).join(''), text, `room ${room}`);
  }
});

test('what a program streams and the answer that it returns are joined', async () => {
  const body = `${passOn} (i32.store (i32.const 100) (i32.const 3)) (i32.store (i32.const 104) (i32.const 0x212121))
    (i32.const 100)`;
  assert.equal((await run(program(body, streamTokens))).join(''), 'Hello, world!!!');
});

test('without realm_on_token nothing is streamed by itself', async () => {
  assert.deepEqual(await run(program(`${passOn} (i32.const 0)`)), []);
});

test('with realm_auto_stream the host streams for the program, which may read the answer too', async () => {
  const auto = (answer: number) => `(func (export "realm_auto_stream") (result i32) (i32.const ${answer}))
    (func (export "realm_on_token") (param i32 i32) (result i32) (drop (call $stream (i32.const 900) (i32.const 1)))
      (i32.const 0)) (data (i32.const 900) "!")`;
  const body = `(local.set $n (call $generate (i32.const 0) (local.get $prompt) (local.get $len) (i32.const 0)
      (i32.const 1000) (i32.const 7)))
    (drop (call $stream (i32.const 1000) (local.get $n))) (i32.const 0)`;
  assert.deepEqual(await run(program(body, auto(1))), ['Hello', ', ', 'world', 'Hello, ']);
  assert.deepEqual(await run(program(body, auto(0))), ['!', '!', '!', 'Hello, ']);
});

test('characters that a program streams in parts are put together, and broken ones replaced', async () => {
  const bytes = (text: string) => `(data (i32.const 500) "${text}")`;
  const each = `(loop $l (drop (call $stream (i32.add (i32.const 500) (local.get $n)) (i32.const 1)))
    (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $l (i32.lt_u (local.get $n) (i32.const 4))))
    (i32.const 0)`;
  assert.deepEqual(await run(program(each, bytes('\\f0\\9f\\99\\82'))), ['🙂']);
  assert.equal((await run(program(each, bytes('a\\ffb\\c3')))).join(''), 'a\ufffdb\ufffd');
});

test('changed options reach the host by name, the others do not', async () => {
  const set = `(i32.store (local.get $options) (i32.const 5))
    (f32.store offset=4 (local.get $options) (f32.const 0))
    (i64.store offset=24 (local.get $options) (i64.const -1))
    (i32.store (i32.const 400) (i32.const 77))
    (i32.store8 offset=32 (local.get $options) (i32.const 1))
    (i32.store offset=36 (local.get $options) (i32.const 400))`;
  const { host, calls } = fakeHost();
  await run(program(`${set} ${passOn} (i32.const 0)`), { host });
  const expected: Partial<GenOptions> = { maxTokens: 5, temperature: 0, seed: 2n ** 64n - 1n, stopTokens: [77] };
  assert.deepEqual(calls[0]?.options, expected);
});

test('options that are no numbers are refused', async () => {
  const body = `(f32.store offset=8 (local.get $options) (f32.const nan))
    (i32.add (i32.const 2) (call $generate (i32.const 0) (i32.const 0) (i32.const 0) (local.get $options)
      (i32.const 0) (i32.const 0)))`;
  assert.deepEqual(await run(program(body)), [], '-2 + 2 is no answer');
});

test('realm_on_token may stop the generation, which is aborted', async () => {
  const stop = `(global $seen (mut i32) (i32.const 0))
    (func (export "realm_on_token") (param i32 i32) (result i32)
      (drop (call $stream (local.get 0) (local.get 1)))
      (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
      (i32.eq (global.get $seen) (i32.const 3)))`;
  // Slow enough that the word to stop comes in time on a busy machine too.
  const { host, state } = endlessHost(20);
  const body = `(local.set $n (call $generate (i32.const 0) (local.get $prompt) (local.get $len) (i32.const 0)
      (i32.const 1000) (i32.const 100)))
    (drop (call $stream (i32.const 1000) (local.get $n))) (i32.const 0)`;
  // The answer that it reads afterwards ends where it stopped, however much was generated meanwhile.
  assert.deepEqual(await run(program(body, stop), { host }), ['x', 'x', 'x', 'xxx']);
  assert.ok(state.aborted);
  assert.ok(state.pieces <= 10, `${state.pieces} pieces`);
});

test('realm_on_token may itself wait for the host, but not generate', async () => {
  const nested = `(func (export "realm_on_token") (param i32 i32) (result i32)
    (if (i32.eq (call $generate (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                (i32.const ${GuestError.busy}))
      (then (drop (call $stream (i32.const 300)
        (call $metadata (i32.const 5) (i32.const 300) (i32.const 100))))))
    (i32.const 0))`;
  const { host } = fakeHost(['a', 'b']);
  assert.deepEqual(await run(program(`${passOn} (i32.const 0)`, nested), { host }), ['{"model":5}', '{"model":5}']);
});

test('realm_on_token and the suspended generate share one consistent state', async () => {
  // generate keeps a value on its stack across the call; realm_on_token counts in a global and in memory.
  const count = `(global $count (mut i32) (i32.const 0))
    (func (export "realm_on_token") (param i32 i32) (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (i32.store8 (i32.const 200) (i32.add (i32.const 48) (global.get $count)))
      (i32.const 0))`;
  const body = `(local.set $n (i32.const 200)) ${passOn} ${passOn}
    (drop (call $stream (local.get $n) (global.get $count))) (i32.const 0)`;
  const text = await run(program(body, count), { host: fakeHost(['p', 'q']).host });
  assert.equal(text.join(''), '4\0\0\0');
});

test('an error of the generation is thrown unchanged unless the program deals with it', async () => {
  const failure = new RealmError('context_length_exceeded', 'Too long.');
  const failing = (pieces: string[]) =>
    fakeHost([], {
      async *generate() {
        yield* pieces;
        throw failure;
      },
    }).host;
  const same = (error: unknown) => error === failure;
  const plain = program(`${passOn} (i32.const 0)`, streamTokens);
  await assert.rejects(run(plain, { host: failing([]) }), same);
  await assert.rejects(run(plain, { host: failing(['half']) }), same, 'also when it has streamed some before');
  await assert.rejects(run(program(`${passOn} (unreachable)`), { host: failing([]) }), same, 'a trap is its result');
  const copes = program(`${passOn} (drop (call $stream (i32.const 0) (i32.const 1))) (i32.const 0)`);
  assert.deepEqual(await run(copes, { host: failing([]) }), ['\0']);
});
