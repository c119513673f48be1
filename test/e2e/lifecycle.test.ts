/** How a server refuses to start, loses clients, and stops. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { syntheticBytes } from '../../scripts/synthetic/model.ts';
import { first } from '../support/entries.ts';
import { client, folder, metric, modelPath, RealmProcess, serve, until } from './server-process.ts';

let model: string;
let files: Awaited<ReturnType<typeof folder>>;
before(async () => {
  model = await modelPath();
  files = await folder({
    'text.gguf': 'This is a text, and no model at all.',
    'short.gguf': new Uint8Array([0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0, 9, 0, 0, 0]),
    'bad.wasm': 'this is no program',
    'bad.yaml':
      'server: { port: 99999 }\ntenants:\n  - { id: a, keys: [secret] }\n  - { id: a, keys: [], colour: red }\n',
    'program.yaml': `tenants: [{ id: a, keys: ["sha256:${'0'.repeat(64)}"], program: bad.wasm }]\n`,
  });
});
after(() => files?.remove());

const long = (url: string, signal?: AbortSignal) =>
  client(url).chat.completions.create(
    {
      model: 'any',
      messages: [{ role: 'user', content: 'Tell a very long story.' }],
      max_tokens: 4000,
      // Nothing ends it but its length.
      logit_bias: { 2: -100, 0: -100 },
      stream: true,
    },
    { signal },
  );

const refusals: [string, () => string[], RegExp][] = [
  ['a model file that is none', () => ['--model', `${files.path}/text.gguf`], /gguf_invalid: .*text\.gguf/],
  ['a truncated model file', () => ['--model', `${files.path}/short.gguf`], /gguf_truncated: .*short\.gguf/],
  ['a missing model file', () => ['--model', `${files.path}/none.gguf`], /model_file_missing: .*none\.gguf/],
  ['an unknown model', () => ['--model', 'no-such-model'], /model_not_found: .*no-such-model/],
  ['a missing configuration', () => ['--config', `${files.path}/none.yaml`], /config_invalid: .*none\.yaml/],
  [
    'a host for others without keys',
    () => ['--host', '0.0.0.0', '--model', model],
    /config_invalid: .*0\.0\.0\.0.*keys/,
  ],
  [
    'a program that is none',
    () => ['--config', `${files.path}/program.yaml`],
    /program_invalid: tenants\[0\]\.program: .*bad\.wasm/,
  ],
];

for (const [what, args, message] of refusals) {
  test(`${what} is one line and exit 1`, async () => {
    const { code, output } = await new RealmProcess(['serve', '--port', '0', ...args()]).exited;
    assert.equal(code, 1, output);
    assert.match(output, message);
    assert.ok(!/^\s+at /m.test(output), `a stack trace:\n${output}`);
  });
}

test('every mistake of a configuration is reported by its path', async () => {
  const { code, output } = await new RealmProcess(['serve', '--config', `${files.path}/bad.yaml`]).exited;
  assert.equal(code, 1);
  for (const path of ['server.port', 'tenants[0].keys[0]', 'tenants[1].id', 'tenants[1].keys', 'tenants[1].colour']) {
    assert.ok(output.includes(`${path}: `), `${path} is missing:\n${output}`);
  }
});

test('a port in use is one line that says what to do', async t => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => taken.once('listening', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  const { code, output } = await new RealmProcess(['serve', '--model', model, '--port', String(port)]).exited;
  assert.equal(code, 1);
  assert.match(output, new RegExp(`port_in_use: 127\\.0\\.0\\.1:${port} is in use; .*--port`));
});

test('a client that goes away stops its generation', async t => {
  const { process, url } = await serve('--model', model);
  t.after(() => process.stop());
  const abort = new AbortController();
  const stream = await long(url, abort.signal);
  for await (const _ of stream) break;
  abort.abort();
  await until('nothing runs', async () => (await metric(url, 'realm_sequences_running')) === 0 || undefined);
  const generated = await metric(url, 'realm_engine_completion_tokens');
  assert.ok(generated < 2000, `${generated} tokens`);
  await until('the request is over', async () => (await metric(url, 'realm_requests_open')) === 0 || undefined);
  assert.equal(await metric(url, 'realm_engine_completion_tokens'), generated);
});

test('Ctrl-C lets what is being answered finish, and takes nothing new', async () => {
  const { process, url } = await serve('--model', model);
  const request = { model: 'any', max_tokens: 60, logit_bias: { 2: -100, 0: -100 }, stream: true as const };
  const stream = await client(url).chat.completions.create({
    ...request,
    messages: [{ role: 'user', content: 'Count.' }],
  });
  let finish: string | null = null;
  let signalled = false;
  for await (const chunk of stream) {
    if (!signalled) process.child.kill('SIGINT');
    signalled = true;
    finish = first(chunk.choices).finish_reason ?? finish;
  }
  assert.equal(finish, 'length');
  const { code } = await process.exited;
  assert.equal(code, 0, process.output);
  await assert.rejects(fetch(`${url}/health`));
});

test('a second Ctrl-C does not wait', async () => {
  const { process, url } = await serve('--model', model);
  const stream = await long(url);
  const cut = assert.rejects(async () => {
    let first = true;
    for await (const _ of stream) {
      if (!first) continue;
      first = false;
      process.child.kill('SIGINT');
      await until('it says that it stops', () => /stopping/i.test(process.output) || undefined);
      process.child.kill('SIGINT');
    }
  });
  const { code } = await process.exited;
  await cut;
  assert.equal(code, 1);
});

test('the command line goes before the configuration', async () => {
  const config = await folder({
    'realm.yaml': `models: [{ id: small, path: ${JSON.stringify(model)}, context: 512 }]\n`,
  });
  const { process, url } = await serve('--config', `${config.path}/realm.yaml`, '--context', '256');
  try {
    const content = 'word '.repeat(300);
    const request = client(url).chat.completions.create({ model: 'small', messages: [{ role: 'user', content }] });
    await assert.rejects(request, { status: 400, code: 'context_length_exceeded', message: /256/ });
  } finally {
    await process.stop();
    await config.remove();
  }
});

test('two models from one server, each with its own engine: `model` selects', async () => {
  const config = await folder({ 'random.gguf': syntheticBytes({ quant: 'Q8_0' }) });
  const lines = `models:\n  - { id: real, path: ${JSON.stringify(model)}, context: 512 }\n  - { id: random, path: random.gguf, speculation: off }\n`;
  await writeFile(`${config.path}/realm.yaml`, lines);
  const { process, url } = await serve('--config', `${config.path}/realm.yaml`);
  try {
    const ask = (model: string) =>
      client(url).completions.create({ model, prompt: 'The capital of France is', max_tokens: 8, temperature: 0 });
    // At the same time: neither waits for the other's engine.
    const [real, random] = await Promise.all([ask('real'), ask('random')]);
    assert.match(first(real.choices).text, /Paris/);
    assert.doesNotMatch(first(random.choices).text, /Paris/);
    assert.equal(random.usage!.completion_tokens, 8);
    assert.equal(first((await ask('random')).choices).text, first(random.choices).text);
    for (const id of ['real', 'random']) assert.ok((await metric(url, `realm_engine_steps{model="${id}"}`)) >= 8);
    await assert.rejects(ask('third'), { status: 404, code: 'model_not_found' });
  } finally {
    await process.stop();
    await config.remove();
  }
});
