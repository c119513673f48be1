/** The nine classic programs through the server, on a real model. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { classicPrograms } from '../../guest/classic.ts';
import { loadModel, type ServedModel } from '../../src/llm/load.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { metered } from '../../src/server/metered-model.ts';
import { StoredSequences } from '../../src/server/program-host/saved-sequences.ts';
import type { Services } from '../../src/server/services.ts';
import { ToolBook } from '../../src/server/tools/book.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { silent } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { ToolConfig } from '../../src/tenancy/config.ts';
import { Directory } from '../../src/tenancy/directory.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { compiled } from '../guest/compiled.ts';
import { type ProgramBody, post, sandboxOf, scripted } from '../server/scripted.ts';
import { folder, modelPath, serve } from './server-process.ts';

let loaded: ServedModel;
let store: Store;
let sandbox: Sandbox;

before(async () => {
  loaded = await loadModel({ source: { path: await modelPath() } }, { context: 2048, threads: 1 });
  store = await openStore('memory');
  sandbox = createSandbox();
});

after(async () => {
  await sandbox?.close();
  await loaded?.engine.close();
  await store?.close();
});

const chat = '/v1/chat/completions';
const tenant = { ...tenantDefaults, id: 'acme', tools: ['calculator'] };

type Program = (typeof classicPrograms)[number] | ProgramBody;

/** What a program answers, or the model without one, and the ledger's rows of its calls. */
async function run(what: Program | undefined, body: object, tools: readonly ToolConfig[] = []) {
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => [], priceOf: () => undefined });
  const { app } = scripted(
    { answer: () => '' },
    {
      ...{ models: [metered(loaded, meter)], meter, directory: new Directory() },
      ...(await programOf(what)),
      authenticate: () => ({ tenant, keyId: undefined, scopes: ['inference'] }),
      savedSequences: new StoredSequences(store),
      tools: new ToolBook({ tools: () => tools, logger: silent, metrics: createMetrics().tools }),
      limits: { ...scripted({ answer: () => '' }).services.limits, bodyBytes: 100_000 },
    },
  );
  const response = await app.fetch(post(chat, body));
  const json = await response.json();
  await meter.close();
  assert.equal(response.status, 200, JSON.stringify(json));
  const id = response.headers.get('x-request-id')!;
  const rows = await store.db.selectFrom('calls').selectAll().where('request_id', '=', id).orderBy('call').execute();
  const sum = (key: 'input_tokens' | 'output_tokens') => rows.reduce((all, row) => all + row[key], 0);
  const text: string = json.choices[0].message.content;
  return { json, text, rows, input: sum('input_tokens'), output: sum('output_tokens') };
}

async function programOf(what: Program | undefined): Promise<Partial<Services>> {
  if (what === undefined) return {};
  if (typeof what === 'function') return { sandbox: sandboxOf(what) };
  const program = await sandbox.load(what, await compiled('assembly', what), { memoryMb: 64 });
  return { sandbox, programOf: () => program };
}

const user = (content: string) => ({ messages: [{ role: 'user', content }] });

test('best of eight answers to a long prompt costs one prompt and eight answers', async () => {
  const body = { ...user('The sea is wide. '.repeat(100)), max_tokens: 8, seed: 3 };
  const { rows, input, output, json, text } = await run('best-of-n', body);
  assert.ok(text.length > 0);
  assert.equal(rows.length, 8);
  assert.ok(input > 450 && input < 600, `${input}`);
  assert.equal(rows.filter(({ input_tokens }) => input_tokens > 0).length, 1);
  assert.ok(output <= 64);
  assert.equal(json.usage.prompt_tokens, input);
});

test('drafting by the guest changes nothing of a greedy answer', async () => {
  const body = { ...user('Say "one two three four five six seven" twice.'), max_tokens: 40, temperature: 0 };
  const plain = await run(undefined, body);
  const drafted = await run('draft-by-lookup', body);
  assert.equal(drafted.text, plain.text);
  assert.equal(drafted.input, plain.input);
});

test('an agent calls the operator’s tool', async context => {
  let asked = '';
  const server = createServer(async (request, response) => {
    for await (const chunk of request) asked += chunk;
    response.end('{"result":42}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const http = { method: 'POST', headers: {}, timeoutMs: 5000, maxBytes: 1000 };
  const parameters = {
    type: 'object',
    properties: { expression: { type: 'string', maxLength: 20 } },
    required: ['expression'],
  };
  const tools = [{ type: 'function', function: { name: 'calculator', description: 'Reckons.', parameters } }];
  const body = { ...user('What is 6 times 7?'), tools, tool_format: 'hermes', max_tokens: 48, temperature: 0 };
  const { text } = await run('tool-agent', body, [{ name: 'calculator', url, ...http }]);
  assert.ok(text.length > 0);
  // Whatever the model thinks: what it asks fits the tool.
  if (asked !== '') assert.equal(typeof JSON.parse(asked).expression, 'string');
});

/** The log-probability that the model gives to a greedy answer of this text; an answer that is shorter has ended. */
async function scoreOf(body: { messages: unknown }, answer: string, most: number): Promise<number> {
  let score = 0;
  const tokens: number[] = loaded.tokenizer.encode(answer, { addSpecial: false });
  if (tokens.length < most) tokens.push(loaded.tokenizer.endOfGeneration.values().next().value!);
  const scoring: ProgramBody = async function* ({ host, modelId, signal }) {
    const { chatTokens, submit } = host.sequences!;
    const prompt = await chatTokens(modelId, JSON.stringify({ messages: body.messages }));
    for (const [at, token] of tokens.entries()) {
      const one = { modelId, answered: 0, maxTokens: 1, minTokens: 0, sampling: {}, stopTokens: [], stop: [] };
      const before = Uint32Array.of(...prompt, ...tokens.slice(0, at));
      const { scores } = await submit({ ...one, tokens: before, ignoreEnds: true, scored: [token] }, signal);
      score += scores![0]!;
    }
    yield 'x';
  };
  await run(scoring, body);
  return score;
}

test("beam search's answer is no less likely than the greedy one", async () => {
  const body = { ...user('Name a colour of the sky.'), max_tokens: 10, temperature: 0 };
  const greedy = await run(undefined, body);
  const beam = await run('beam-search', body);
  // A beam that goes on from another one's tokens pays for those.
  assert.ok(beam.input >= greedy.input && beam.input < greedy.input + 4 * 10, `${beam.input}`);
  const [found, plain] = [await scoreOf(body, beam.text, 10), await scoreOf(body, greedy.text, 10)];
  assert.ok(found >= plain - 0.01, `${beam.text} ${found}, ${greedy.text} ${plain}`);
});

test('self-consistency and a tree of thought pay for one prompt', async () => {
  const body = { ...user('What is 2 plus 3? Say only the number.'), max_tokens: 16, seed: 4 };
  const { input } = await run(undefined, body);
  const consistent = await run('self-consistency', body);
  assert.deepEqual([consistent.rows.length, consistent.input], [9, input]);
  assert.ok(consistent.text.length > 0);
  assert.deepEqual((await run('self-consistency', body)).text, consistent.text, 'the seed decides');
  const thought = await run('tree-of-thought', body);
  // Four thoughts, then four for each of the two best, as many verdicts, and the answer.
  assert.equal(thought.rows.filter(row => row.output_tokens > 0).length, 4 + 4 + 8 + 8 + 1);
  // What judges are asked is paid for beside it.
  assert.ok(thought.input > input && thought.input < 2 * input + 12 * 20, `${thought.input}`);
});

test('JSON repair answers with JSON', async () => {
  const { text } = await run('json-repair', { ...user('Write JSON with your name.'), max_tokens: 48, temperature: 0 });
  assert.equal(typeof JSON.parse(text), 'object');
});

test('a whole server: a watermark is found, and a prefix is paid for once', async t => {
  const { key, hash } = createKey('acme');
  const files = await folder({
    'watermark.wasm': await compiled('assembly', 'watermark'),
    'prefix-cache.wasm': await compiled('assembly', 'prefix-cache'),
    'detect.yaml': 'pipeline: detect\nsteps:\n  - { id: sure, wasm: watermark.wasm }\noutput: sure\n',
    'ask.yaml': 'pipeline: ask\nsteps:\n  - { id: answer, wasm: prefix-cache.wasm }\noutput: answer\n',
    'realm.yaml': JSON.stringify({
      server: { port: 0, store: 'memory' },
      models: [{ id: 'small', path: await modelPath(), context: 1024 }],
      tenants: [{ id: 'acme', keys: [hash], program: './watermark.wasm' }],
      pipelines: ['detect.yaml', 'ask.yaml'],
    }),
  });
  t.after(files.remove);
  const server = await serve('--config', `${files.path}/realm.yaml`);
  t.after(() => server.process.stop());
  const ask = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const json = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(json));
    return json;
  };
  const sure = async (text: string) =>
    JSON.parse((await ask('/v1/pipelines/detect', { input: { text } })).output).z as number;
  const story = { ...user('Tell me a long story about a fisherman.'), max_tokens: 100, seed: 2 };
  const marked = (await ask(chat, story)).choices[0].message.content;
  const z = await sure(marked);
  assert.ok(z > 4, `${z}: ${marked}`);
  assert.ok((await sure('The sea was calm that morning, and nobody in the village had seen the old man go out.')) < 4);

  const document = 'The lighthouse of Realm was built in 1871 by a fisherman. '.repeat(20);
  const questions = ['Who built it?', 'When was it built?'];
  const asked = [];
  for (const question of questions) asked.push(await ask('/v1/pipelines/ask', { input: { document, question } }));
  const [first, second] = asked.map(({ usage }) => usage.prompt_tokens as number);
  assert.ok(first! > 200 && second! < 20, `${first}, ${second}`);
  for (const { usage } of asked) assert.ok(usage.completion_tokens > 0);
});
