/** Programs of ABI v2 in their process: what they get, what they say, how they end. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import { sequenceFunctions } from '../../src/sandbox/v2/functions.ts';
import { program, rig, wasm } from './helpers.ts';
import { type Scripted, says, scripted } from './scripted-sequences.ts';

const { sandbox, run, load, call } = rig();
after(() => sandbox.close());

const imports = [...sequenceFunctions]
  .map(([name, { params }]) => {
    const types = [...params].map(() => 'i32').join(' ');
    return `(import "realm2" "${name}" (func $${name} (param ${types}) (result i32)))`;
  })
  .join('\n');

/** A program around the body of its run ($input $len -> i32). At 0 stands a chat, at 100 a request of sequence $seq. */
function v2(body: string, more = ''): Uint8Array {
  const chat = '{\\22messages\\22:[{\\22role\\22:\\22user\\22,\\22content\\22:\\22Hi\\22}]}';
  return wasm(`(module ${imports} (memory (export "memory") 1) (data (i32.const 0) "${chat}") ${more}
    (global $free (mut i32) (i32.const 8192)) (global $seq (mut i32) (i32.const 0))
    (func (export "realm_alloc") (param $n i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get $n)))
      (i32.sub (global.get $free) (local.get $n)))
    (func $begin (global.set $seq (call $seq_new (i32.const 7)))
      (drop (call $seq_chat (global.get $seq) (i32.const 0) (i32.const 45))))
    (func $submitted (param $most i32) (param $flags i32) (result i32)
      (i32.store (i32.const 100) (global.get $seq)) (i32.store (i32.const 104) (local.get $most))
      (i32.store (i32.const 108) (local.get $flags))
      (i32.store (i32.const 200) (call $submit (i32.const 100) (i32.const 1))) (i32.load (i32.const 200)))
    (func $waited (result i32)
      (call $wait (i32.const 200) (i32.const 1) (i32.const 0) (i32.const 300) (i32.const 4000)))
    (func $say (param $number i32) (i32.store8 (i32.const 250) (local.get $number))
      (drop (call $emit (i32.const 0) (i32.const 250) (i32.const 1))))
    (func (export "run") (param $input i32) (param $len i32) (result i32) (local $n i32) ${body}))`);
}

const done = '(i32.const 0)';
const endless = '(call $begin) (drop (call $submitted (i32.const 100000) (i32.const 5)))';

/** Nothing is left of a run, however it ended. */
async function assertNothingLeft(script: Scripted): Promise<void> {
  for (let i = 0; i < 100 && script.open() > 0; i++) await new Promise(resolve => setTimeout(resolve, 10));
  assert.equal(script.open(), 0);
}

describe('what run gets', () => {
  const echo = v2(`(drop (call $emit (i32.const 0) (local.get $input) (local.get $len))) ${done}`);
  const options = { temperature: 0.5, topP: 1, topK: 0, repetitionPenalty: 1, stopTokens: [], maxTokens: 9 };
  const given = { max_tokens: 9, temperature: 0.5, top_p: 1, top_k: 0, repetition_penalty: 1 };

  test('a chat, a completion, a call', async () => {
    const get = async (more: object) => {
      const said = await run(echo, { host: scripted().host, options: { ...options, seed: 0n }, ...more });
      return JSON.parse(said.join(''));
    };
    const messages = [{ role: 'user', content: '"Hi"\n' }];
    const head = { model: 7, options: given };
    assert.deepEqual(await get({ prompt: JSON.stringify({ messages, tools: [] }) }), {
      ...{ kind: 'chat', ...head },
      ...{ messages, tools: [] },
    });
    assert.deepEqual(await get({ prompt: '"Hi"\n' }), { kind: 'chat', ...head, messages });
    assert.deepEqual(await get({ kind: 'completion', prompt: '{"messages"' }), {
      ...{ kind: 'completion', ...head },
      prompt: '{"messages"',
    });
    assert.deepEqual(await get({ kind: 'call', prompt: '[1,"a"]' }), { kind: 'call', ...head, input: [1, 'a'] });
  });

  test('a seed keeps its 64 bits', async () => {
    const said = await run(echo, { host: scripted().host, options: { ...options, seed: 2n ** 64n - 1n } });
    assert.match(said.join(''), /"seed":18446744073709551615\}/);
  });
});

describe('what it says', () => {
  test('content, and the rest beside it, in order', async () => {
    const script = scripted();
    const body = `(drop (call $emit (i32.const 1) (i32.const 600) (i32.const 2)))
      (call $say (i32.const 65)) (drop (call $emit (i32.const 3) (i32.const 603) (i32.const 2)))
      (call $say (i32.const 66)) (i32.store (i32.const 700) (i32.const 1)) (i32.store8 (i32.const 704) (i32.const 67))
      (i32.const 700)`;
    const order: string[] = [];
    const bytes = v2(body, '(data (i32.const 600) "Hm {}")');
    const host = {
      ...script.host,
      sequences: { ...script.sequences, emit: (kind: string, text: string) => order.push(`${kind} ${text}`) },
    };
    for await (const piece of call({ program: await load(bytes), host })) order.push(piece);
    assert.deepEqual(order, ['reasoning Hm', '', 'A', 'event {}', '', 'BC']);
  });

  test('an answer is streamed as it comes', async () => {
    const script = scripted(says('Hello'));
    const body = `(call $begin) (call $say (i32.const 62)) (drop (call $submitted (i32.const 9) (i32.const 1)))
      (drop (call $waited)) (call $say (i32.const 60)) ${done}`;
    const said = await run(v2(body), { host: script.host });
    assert.equal(said.join('|'), '>|H|e|l|l|o|<');
    await assertNothingLeft(script);
  });
});

describe('how it ends', () => {
  const ends: [how: string, body: string, error?: RegExp][] = [
    ['with an open ticket', `${endless} ${done}`],
    ['by a trap', `${endless} unreachable`, /trapped/],
    ['with an answer that is none', `${endless} (i32.const -1)`, /no answer inside/],
  ];
  for (const [how, body, error] of ends) {
    test(`it ends ${how}`, async () => {
      const script = scripted(() => ({ a: 1 }));
      const running = run(v2(body), { host: script.host });
      if (error) await assert.rejects(running, error);
      else await running;
      assert.equal(script.submissions.length, 1);
      await assertNothingLeft(script);
    });
  }

  test('its client leaves while it waits', async () => {
    const script = scripted(() => ({ a: 1 }));
    const client = new AbortController();
    const program = await load(v2(`${endless} (drop (call $waited)) ${done}`));
    let pieces = 0;
    await assert.rejects(
      async () => {
        for await (const _ of call({ program, host: script.host, signal: client.signal })) {
          if (++pieces === 3) client.abort();
        }
      },
      { code: 'request_cancelled' },
    );
    await assertNothingLeft(script);
  });

  test('its time is over while it waits', async () => {
    const script = scripted(() => ({ a: 1 }));
    const bytes = v2(`${endless} (drop (call $waited)) ${done}`);
    const late = run(bytes, { host: script.host, limits: { deadlineMs: 500 } });
    await assert.rejects(late, { code: 'program_deadline' });
    await assertNothingLeft(script);
  });

  test("the host's error is thrown unchanged unless the program deals with it", async () => {
    const failure = new RealmError('insufficient_quota', 'Nothing is left.');
    const script = scripted(says(''), { submit: () => Promise.reject(failure) });
    const fails = '(call $begin) (drop (call $submitted (i32.const 9) (i32.const 0))) (drop (call $waited))';
    await assert.rejects(run(v2(`${fails} ${done}`), { host: script.host }), error => error === failure);
    const copes = `${fails} (call $say (i32.sub (i32.const 0) (i32.load (i32.const 316)))) ${done}`;
    const [code] = (await run(v2(copes), { host: script.host })).join('');
    assert.equal(code?.charCodeAt(0), -GuestError.budgetSpent);
  });

  test('a handle of another run is unknown', async () => {
    const own =
      v2(`(call $begin) (i32.store (i32.const 700) (i32.const 4)) (i32.store (i32.const 704) (global.get $seq))
      (drop (call $emit (i32.const 3) (i32.const 704) (i32.const 0))) (i32.const 700)`);
    await run(own, { host: scripted().host });
    const forged = v2(`(call $say (i32.add (i32.const 80) (call $seq_length (i32.const ${2 ** 24 + 1})))) ${done}`);
    assert.equal(
      (await run(forged, { host: scripted().host })).join(''),
      String.fromCharCode(80 + GuestError.noHandle),
    );
  });
});

describe('modules', () => {
  const refusedWith = (bytes: Uint8Array, why: RegExp) =>
    assert.rejects(load(bytes), { code: 'program_invalid', message: why });
  const alloc = '(func (export "realm_alloc") (param i32) (result i32) (i32.const 0))';
  const module = (rest: string) => wasm(`(module ${rest} (memory (export "memory") 1))`);
  const runs = '(func (export "run") (param i32 i32) (result i32) (i32.const 0))';

  test('what is refused', async () => {
    await refusedWith(program('(i32.const 0)', runs), /both run and generate/);
    await refusedWith(module(runs), /no function realm_alloc/);
    await refusedWith(module(`${alloc} (func (export "run") (result i32) (i32.const 0))`), /exports run as \(\) ->/);
    const importing = (what: string) => `(import "realm2" ${what})`;
    const shape = '(func (param i32) (result i32))';
    await refusedWith(module(`${importing(`"seq_fork" ${shape}`)} ${alloc} ${runs}`), /realm2.seq_fork as \(i32\)/);
    await refusedWith(module(`${importing(`"seq_spoon" ${shape}`)} ${alloc} ${runs}`), /realm2 offers last_error/);
    const old = `(func (export "realm_new") (result i32) (i32.const 0))
      (func (export "generate") (param i32 i32 i32 i32) (result i32) (i32.const 0))`;
    await refusedWith(module(`${importing(`"seq_free" ${shape}`)} ${old}`), /programs that export run/);
  });

  test('both modules may be imported, realm_new is no duty', async () => {
    const both = module(`(import "env" "realm_stream_token" (func $s (param i32 i32) (result i32)))
      (data (i32.const 0) "yes") ${alloc.replace('(i32.const 0)', '(i32.const 64)')}
      (func (export "run") (param i32 i32) (result i32) (drop (call $s (i32.const 0) (i32.const 3))) (i32.const 0))`);
    assert.deepEqual(await run(both, { host: scripted().host }), ['yes']);
  });
});
