/**
 * Programs of ABI v2 that do their worst, one for each way, on a whole server: each ends as it should, costs its tenant
 * what it used, leaves nothing behind, and a neighbour's answer keeps its bytes.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { RealmError } from '../../src/errors.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { codesOf, OUT, sequenceProgram, type Texts } from '../sandbox/sequence-program.ts';

const vocab = 400;
const operator = createKey('operator');
const tenants = ['acme', 'calm', 'thin'] as const;
type TenantName = (typeof tenants)[number];
const keys = Object.fromEntries(tenants.map(name => [name, createKey(name)])) as Record<
  TenantName,
  ReturnType<typeof createKey>
>;
const lines: Record<string, unknown>[] = [];
let folder: string;
let server: RunningServer;
let calm: string;

const pipelines: Record<string, string> = {
  many: `
pipeline: many
steps:
  - id: all
    map: { over: input, as: it }
    steps: [{ id: one, template: "{{ it }}" }]
output: all
`,
  bomb: `
pipeline: bomb
steps:
  - { id: it, template: x }
output: 'input.map(a, input.map(b, a + b))'
`,
  typed: `
pipeline: typed
input: { type: object, properties: { n: { type: integer } }, required: [n] }
steps: [{ id: it, template: "{{ input.n }}" }]
output: it
`,
  again: `
pipeline: again
steps: [{ id: it, tool: myself, input: '"x"' }]
output: it
`,
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-hostile-'));
  writeSynthetic(join(folder, 'model.gguf'), {
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab, layers: 1 },
  });
  await Promise.all(Object.entries(pipelines).map(([name, text]) => writeFile(join(folder, `p-${name}.yaml`), text)));
  const limits = { fuel: 3e8, host_calls: 2000, output_bytes: 1000, saved_sequences: 2, tickets: 4 };
  const document = {
    server: { port: 0, store: 'memory', metrics: 'public', admin_keys: [operator.hash] },
    models: [{ id: 'small', path: 'model.gguf', context: 1024 }],
    tools: [
      { name: 'secret', url: 'http://127.0.0.1:9/' },
      { name: 'dead', url: 'http://127.0.0.1:9/' },
      { name: 'myself', pipeline: 'again' },
    ],
    pipelines: Object.keys(pipelines).map(name => `p-${name}.yaml`),
    tenants: [
      {
        ...{ id: 'acme', keys: [keys.acme.hash], memory_mb: 16, deadline_ms: 20_000, tools: ['dead', 'myself'] },
        ...{ program_limits: limits, budgets: [{ unit: 'tokens', limit: 1e6, period: 'total' }] },
      },
      { id: 'calm', keys: [keys.calm.hash] },
      { id: 'thin', keys: [keys.thin.hash], budgets: [{ unit: 'tokens', limit: 300, period: 'total' }] },
    ],
  };
  const configPath = join(folder, 'realm.yaml');
  await writeFile(configPath, JSON.stringify(document));
  const logger = createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) });
  server = await startServer({ configPath, threads: 1, logger });
  calm = await plain('calm');
});
after(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
});

async function post(tenant: TenantName, path: string, body: object, signal?: AbortSignal) {
  const headers = { authorization: `Bearer ${keys[tenant].key}`, 'content-type': 'application/json' };
  const answer = await fetch(server.url + path, {
    ...{ method: 'POST', headers, body: JSON.stringify(body) },
    ...(signal && { signal }),
  });
  return { status: answer.status, id: answer.headers.get('x-request-id')!, body: await answer.json() };
}

const question = { model: 'small', messages: [{ role: 'user', content: 'Hello' }], temperature: 0, max_tokens: 12 };
const chat = '/v1/chat/completions';

async function plain(tenant: TenantName): Promise<string> {
  const { body } = await post(tenant, chat, question);
  return body.choices[0].message.content;
}

async function push(name: string, module: Uint8Array, tenant?: TenantName): Promise<void> {
  const answer = await fetch(`${server.url}/admin/v1/programs/${name}${tenant ? `?tenant=${tenant}` : ''}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${operator.key}`, 'content-type': 'application/wasm' },
    body: new Uint8Array(module),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Figures that are 0 when nobody asks anything; cached pages are nobody's. */
async function held(): Promise<Record<string, number>> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const of = (name: string) =>
    Number(new RegExp(`^realm_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN);
  const names = [
    'program_runs',
    'program_runs_waiting',
    'program_submissions',
    'sequences_running',
    'sequences_waiting',
  ];
  const pages = of('kv_pages_used') - of('kv_pages_cached');
  return { ...Object.fromEntries(names.map(name => [name, of(name)])), pages };
}

async function assertNothingLeft(): Promise<void> {
  const isZero = (all: Record<string, number>) => Object.values(all).every(each => each === 0);
  let left = await held();
  for (let i = 0; i < 1000 && !isZero(left); i++) {
    await sleep(30);
    left = await held();
  }
  assert.ok(isZero(left), JSON.stringify(left));
}

async function usage(tenant: TenantName) {
  const headers = { authorization: `Bearer ${keys[tenant].key}` };
  const { input_tokens, output_tokens, budgets } = await (await fetch(`${server.url}/v1/usage`, { headers })).json();
  return { tokens: input_tokens + output_tokens, spent: budgets[0].spent };
}

/** What the request's program has used: in its line of the log, or in one of its own where the request ended first. */
async function fuelOf(id: string): Promise<number> {
  for (let i = 0; i < 1000; i++) {
    const line = lines.find(({ request_id, fuel }) => request_id === id && fuel !== undefined);
    if (line) return line.fuel as number;
    await sleep(30);
  }
  assert.fail('nobody says what it used');
}

const forked = `(loop $l (local.set $n (call $seq_fork (global.get $seq) (i32.const ${OUT}) (i32.const 1)))
  (if (i32.gt_s (local.get $n) (i32.const 0)) (then
    (global.set $seq (i32.load (i32.const ${OUT}))) (br $l))))`;
const say = (call: string) => `(call $say ${call})`;
const forever = '(loop $l (br $l))';
const endless = '(call $begin) (drop (call $submitted (global.get $seq) (i32.const 100000) (i32.const 4)))';
const i32 = (value: number) => `(i32.const ${value})`;
/** The code in the record that `$waited` has written: reason 4 is a failure. */
const failure = say(`(i32.load ${i32(OUT + 16)})`);
const tool = (texts: Texts, name: string) =>
  say(`(call $tool ${texts.at(name)} ${texts.at('{}')} ${i32(OUT)} ${i32(1000)})`);
/** Calls with a handle for their first argument. */
const takers = (handle: string) =>
  [
    ['seq_length', ''],
    ['seq_free', ''],
    ['seq_push', `${i32(0)} ${i32(0)}`],
    ['seq_truncate', i32(0)],
    ['seq_fork', `${i32(OUT)} ${i32(1)}`],
    ['cancel', ''],
    ['constraint_free', ''],
    ['parser_free', ''],
  ]
    .map(([name, more]) => say(`(call $${name} ${handle} ${more})`))
    .join('\n');

interface Row {
  readonly body: (texts: Texts) => string;
  /** That it said: 0 for what was no error. */
  readonly codes?: readonly number[];
  /** Of the answer; absent: it is one. */
  readonly error?: string;
  /** It generates, or computes a prompt. */
  readonly tokens?: boolean;
}

const words = Math.ceil(vocab / 32);
const rows: Record<string, Row> = {
  'forged handles': {
    body: () => [0, -1, 2 ** 24 + 1, 3 * 2 ** 24 + 7].map(handle => takers(i32(handle))).join('\n'),
    codes: Array(32).fill(-10),
  },
  'use after free': {
    body: () => `(call $begin) ${say('(call $seq_free (global.get $seq))')} ${takers('(global.get $seq)')}
      ${say(`(call $submitted (global.get $seq) ${i32(4)} ${i32(0)})`)}`,
    codes: [0, ...Array(9).fill(-10)],
  },
  'a sequence that is changed and freed while its ticket is open': {
    body: () => `${endless} ${say(`(call $seq_truncate (global.get $seq) ${i32(0)})`)}
      ${say(`(call $submitted (global.get $seq) ${i32(4)} ${i32(0)})`)} ${say('(call $seq_free (global.get $seq))')}`,
    codes: [-7, -7, 0],
    tokens: true,
  },
  'masks of the wrong length': {
    body: () =>
      `(call $begin) ${[0, words - 1, words + 1, -1].map(count => say(`(call $seq_mask (global.get $seq) ${i32(OUT)} ${i32(count)})`)).join('\n')}
      ${say(`(call $seq_mask (global.get $seq) ${i32(262_140)} ${i32(words)})`)}`,
    codes: [-2, -2, -2, -2, -1],
  },
  'forks of forks to the limit': {
    body: () => `(call $begin) ${forked} ${say('(local.get $n)')}
      ${say(`(call $seq_fork (global.get $seq) ${i32(OUT)} ${i32(-1)})`)}
      ${say(`(call $submitted (global.get $seq) ${i32(2)} ${i32(0)})`)} ${say('(call $waited)')}`,
    codes: [-11, -1, 0, 0],
    tokens: true,
  },
  'wait on nothing': {
    body: () => `${say(`(call $wait ${i32(0)} ${i32(0)} ${i32(0)} ${i32(OUT)} ${i32(100)})`)} ${say('(call $waited)')}
      ${say(`(call $wait ${i32(600)} ${i32(-1)} ${i32(0)} ${i32(OUT)} ${i32(100)})`)}
      ${say(`(call $wait ${i32(600)} ${i32(2)} ${i32(1)} ${i32(OUT)} ${i32(100)})`)}`,
    codes: [-15, -10, -2, -2],
  },
  'a ticket that is waited for twice': {
    body: () => `(call $begin) (drop (call $submitted (global.get $seq) ${i32(2)} ${i32(4)}))
      ${say('(call $waited)')} ${say('(call $waited)')}`,
    codes: [0, -10],
    tokens: true,
  },
  'constraints that die': {
    // A mask of token 3 alone, where the constraint wants an `a`.
    body: texts => `(call $begin)
      ${say(`(call $constraint_new (global.get $model) ${i32(2)} ${texts.at('(')})`)}
      (local.set $n (call $constraint_new (global.get $model) ${i32(2)} ${texts.at('a{4}')}))
      ${say('(call $seq_constrain (global.get $seq) (local.get $n))')}
      (i32.store ${i32(OUT)} ${i32(8)})
      ${say(`(call $seq_mask (global.get $seq) ${i32(OUT)} ${i32(words)})`)}
      ${say(`(call $submitted (global.get $seq) ${i32(4)} ${i32(0)})`)} ${say('(call $waited)')} ${failure}`,
    codes: [-2, 0, 0, 0, 0, -13],
    tokens: true,
  },
  'saving over quota': {
    body: texts =>
      `(call $begin) ${['a', 'b', 'c'].map(key => say(`(call $seq_save (global.get $seq) ${texts.at(key)} ${i32(1)})`)).join('\n')}`,
    codes: [0, 0, -11],
  },
  'tools that are not allowed, dead, unknown or their own caller': {
    body: texts => ['secret', 'dead', 'no-such'].map(name => tool(texts, name)).join('\n'),
    codes: [-9, -16, -17],
  },
  'more tickets than it may have open': {
    body: () => `(local.set $m ${i32(5)}) (loop $l (call $begin)
      ${say(`(call $submitted (global.get $seq) ${i32(100_000)} ${i32(4)})`)}
      (br_if $l (local.tee $m (i32.sub (local.get $m) ${i32(1)}))))`,
    codes: [0, 0, 0, 0, -11],
    tokens: true,
  },
  'more host calls than it may make': {
    body: () =>
      `(loop $l (br_if $l (i32.ne (call $seq_length ${i32(1)}) ${i32(-11)}))) ${say('(call $seq_length (i32.const 1))')}`,
    codes: [-11],
  },
  'more output than it may say': {
    body: () =>
      say(`(call $emit ${i32(3)} ${i32(0)} ${i32(70_000)})`) + say(`(call $emit ${i32(0)} ${i32(0)} ${i32(1001)})`),
    codes: [-2, -11],
  },
  'pointers outside of its memory': {
    body: () => `(call $begin) ${say(`(call $submit ${i32(262_140)} ${i32(1)})`)}
      ${say(`(call $seq_push (global.get $seq) ${i32(-4)} ${i32(2)})`)} ${say(`(call $random ${i32(-1)} ${i32(16)})`)}`,
    codes: [-1, -1, -1],
  },
  'a trap with tickets open': { body: () => `${endless} (unreachable)`, error: 'program_trapped', tokens: true },
  'a loop for ever with tickets open': { body: () => endless + forever, error: 'program_out_of_fuel', tokens: true },
  'memory without end, with tickets open': {
    body: () => `${endless} (loop $l (br_if $l (i32.ne (memory.grow ${i32(1)}) ${i32(-1)}))) (unreachable)`,
    error: 'program_out_of_memory',
    tokens: true,
  },
  'a failure of the host that nothing follows': {
    body: () => `(call $begin) (drop (call $seq_push (global.get $seq) ${i32(65_536)} ${i32(2000)}))
      (drop (call $submitted (global.get $seq) ${i32(4)} ${i32(0)})) (drop (call $waited)) (return ${i32(0)})`,
    error: 'context_length_exceeded',
  },
};

describe('hostile programs', () => {
  for (const [name, { body, codes, error, tokens = false }] of Object.entries(rows)) {
    test(name, async () => {
      await push('worst', sequenceProgram(body), 'acme');
      const before = await usage('acme');
      const [answer, neighbour] = await Promise.all([
        post('acme', chat, { ...question, program: 'worst' }),
        plain('calm'),
      ]);
      if (error === undefined) {
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
        assert.deepEqual(codesOf(answer.body.choices[0].message.content), codes);
      } else assert.equal(answer.body.error?.code, error, JSON.stringify(answer.body));
      assert.equal(neighbour, calm);
      await assertNothingLeft();
      assert.ok((await fuelOf(answer.id)) > 0);
      const { tokens: used, spent } = await usage('acme');
      assert.equal(used > before.tokens, tokens, `${used - before.tokens} tokens`);
      assert.equal(spent, used);
    });
  }

  test('handles of another run, which has them at that time', async () => {
    await push(
      'holder',
      sequenceProgram(() => `${endless} (drop (call $waited))`),
      'acme',
    );
    await push(
      'thief',
      sequenceProgram(() => takers(i32(2 ** 24 + 1)) + takers(i32(3 * 2 ** 24 + 1))),
      'acme',
    );
    const leave = new AbortController();
    const holding = post('acme', chat, { ...question, program: 'holder' }, leave.signal).catch(() => {});
    while ((await held()).program_submissions !== 1) await sleep(10);
    const { body } = await post('acme', chat, { ...question, program: 'thief' });
    assert.deepEqual(codesOf(body.choices[0].message.content), Array(16).fill(-10));
    leave.abort();
    await holding;
    await assertNothingLeft();
  });

  test('a client that leaves while its program waits: it ends, and what it used is in the log', async () => {
    await push(
      'waiting',
      sequenceProgram(() => `${endless} (drop (call $waited))`),
      'acme',
    );
    const leave = new AbortController();
    const asked = post('acme', chat, { ...question, program: 'waiting' }, leave.signal).catch(() => {});
    while ((await held()).program_submissions !== 1) await sleep(10);
    leave.abort();
    await asked;
    await assertNothingLeft();
    const line = lines.findLast(({ code }) => code === 'request_cancelled');
    assert.ok((await fuelOf(line!.request_id as string)) > 0);
  });

  test('what was reserved for open tickets is given back', async () => {
    await push(
      'opens',
      sequenceProgram(() => endless),
      'thin',
    );
    const ended = await post('thin', chat, { ...question, program: 'opens' });
    assert.equal(ended.status, 200, JSON.stringify(ended.body));
    await assertNothingLeft();
    const { tokens, spent } = await usage('thin');
    assert.ok(tokens < 300);
    assert.equal(spent, tokens);
    // Whoever asks for more than is left gets just that.
    const { body } = await post('thin', chat, { ...question, max_tokens: 900, logit_bias: { 2: -100 } });
    assert.equal(body.usage?.total_tokens, 300 - tokens, JSON.stringify(body));
  });
});

describe('hostile pipelines', () => {
  const run = (name: string, input: unknown) => post('acme', `/v1/pipelines/${name}`, { input });
  const ends = async (name: string, input: unknown, code: string) => {
    const { body } = await run(name, input);
    assert.equal(body.error?.code, code, JSON.stringify(body));
    assert.equal(await plain('calm'), calm);
    await assertNothingLeft();
  };
  const broken: Record<string, readonly [document: string, words: RegExp]> = {
    cycles: ['steps: [{ id: a, template: "{{ b }}" }, { id: b, template: "{{ a }}" }]\noutput: b', /a.*b/],
    'a step of itself': ['steps: [{ id: a, template: "{{ a }}" }]\noutput: a', /a/],
    'unknown steps': ['steps: [{ id: first, template: x }]\noutput: frist', /first/],
    'unknown models': ['steps: [{ id: a, model: smal, prompt: x }]\noutput: a', /small/],
    'wrong types': ['steps: [{ id: a, model: small, prompt: x, max_tokens: many }]\noutput: a', /max_tokens/],
    'an expression as long as a book': [
      `steps: [{ id: a, template: x }]\noutput: "${'1+'.repeat(20_000)}1"`,
      /characters/,
    ],
  };
  for (const [name, [document, words]] of Object.entries(broken)) {
    test(`a server does not start with ${name} in a pipeline`, async () => {
      await writeFile(join(folder, 'broken.yaml'), `pipeline: broken\n${document}\n`);
      const config = {
        server: { port: 0, store: 'memory' },
        models: [{ id: 'small', path: 'model.gguf', context: 256 }],
        pipelines: ['broken.yaml'],
      };
      await writeFile(join(folder, 'second.yaml'), JSON.stringify(config));
      const logger = createLogger({ format: 'json', write: () => {} });
      const starting = startServer({ configPath: join(folder, 'second.yaml'), threads: 1, logger });
      void starting.then(started => started.close()).catch(() => {});
      await assert.rejects(starting, error => {
        assert.equal((error as RealmError).code, 'pipeline_invalid', String(error));
        assert.match(String(error), /broken\.yaml:\d+/);
        assert.match(String(error), words);
        return true;
      });
    });
  }

  test('maps over 10,000 items', () => ends('many', Array(10_001).fill(1), 'pipeline_failed'));
  test('expressions without end', () => ends('bomb', Array(250).fill(1), 'pipeline_failed'));
  test('wrong types', () => ends('typed', { n: 'one' }, 'invalid_request'));
  test('unknown names', () => ends('no-such', {}, 'pipeline_not_found'));
  test('a pipeline that calls itself', () => ends('again', null, 'pipeline_failed'));
});
