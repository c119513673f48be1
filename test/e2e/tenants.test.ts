/** Tenants from a configuration: keys, programs of their own, and a program that does not end. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { createKey } from '../../src/tenancy/keys.ts';
import { passOn, program, streamTokens } from '../sandbox/helpers.ts';
import { first } from '../support/entries.ts';
import { client, folder, metric, modelPath, type RunningServer, serve } from './server-process.ts';

const keys = {
  plain: createKey('plain'),
  shouting: createKey('shouting'),
  looping: createKey('looping'),
  trapping: createKey('trapping'),
};
let files: Awaited<ReturnType<typeof folder>>;
let server: RunningServer;

before(async () => {
  const shout = await readFile(new URL('../../guest/wasm/shout.wasm', import.meta.url));
  files = await folder({
    'shout.wasm': shout,
    'loop.wasm': program('(loop $forever (br $forever)) (i32.const 0)'),
    'trap.wasm': program(`${passOn} (unreachable)`, streamTokens),
    'realm.yaml': `
server: { metrics: public }
models:
  - { id: tiny, path: ${JSON.stringify(await modelPath())}, context: 512 }
tenants:
  - { id: plain, keys: ["${keys.plain.hash}"] }
  - { id: shouting, keys: ["${keys.shouting.hash}"], program: shout.wasm }
  - { id: looping, keys: ["${keys.looping.hash}"], program: loop.wasm, deadline_ms: 1500 }
  - { id: trapping, keys: ["${keys.trapping.hash}"], program: trap.wasm, memory_mb: 16 }
`,
  });
  server = await serve('--config', `${files.path}/realm.yaml`);
});
after(async () => {
  await server?.process.stop();
  await files?.remove();
});

const request = {
  model: 'tiny',
  messages: [
    { role: 'system', content: 'Answer the question.' },
    { role: 'user', content: 'Name the capital city of France.' },
  ] satisfies OpenAI.Chat.ChatCompletionMessageParam[],
  temperature: 0,
  max_tokens: 30,
};

const ask = (key: string) => client(server.url, key).chat.completions.create(request);
const said = ({ choices }: OpenAI.Chat.ChatCompletion): string => first(choices).message.content ?? '';

async function refusal(answer: Promise<unknown>): Promise<{ status: number; code: unknown }> {
  const error = await answer.then(
    () => assert.fail('it was answered'),
    error => error,
  );
  assert.ok(error instanceof OpenAI.APIError, String(error));
  return { status: error.status, code: error.code };
}

test('a tenant without a program gets the plain answer', async () => {
  assert.match(said(await ask(keys.plain.key)), /Paris/);
});

test("a tenant's own program is what answers", async () => {
  const plain = said(await ask(keys.plain.key));
  const loud = said(await ask(keys.shouting.key));
  assert.match(loud, /PARIS/);
  assert.equal(loud, plain.toUpperCase());
});

test('a missing, malformed or wrong key is 401, and no work for the model', async () => {
  const before = await metric(server.url, 'realm_engine_prompt_tokens');
  for (const key of ['wrong', keys.plain.hash, keys.plain.key.slice(0, -1)]) {
    assert.deepEqual(await refusal(ask(key)), { status: 401, code: 'invalid_api_key' });
  }
  const bare = await fetch(`${server.url}/v1/models`);
  const basic = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Basic ${keys.plain.key}` } });
  assert.deepEqual([bare.status, basic.status], [401, 401]);
  assert.equal(await bare.text(), await basic.text());
  assert.equal(await metric(server.url, 'realm_engine_prompt_tokens'), before);
});

test('an unknown model is 404 for whoever has a key', async () => {
  const answer = client(server.url, keys.plain.key).chat.completions.create({ ...request, model: 'gpt-4o' });
  assert.deepEqual(await refusal(answer), { status: 404, code: 'model_not_found' });
});

test('a program that never ends is ended, while another tenant is answered', async () => {
  const looping = refusal(ask(keys.looping.key));
  assert.match(said(await ask(keys.plain.key)), /Paris/);
  assert.deepEqual(await looping, { status: 504, code: 'program_deadline' });
});

test('a program that traps after its text is an error at the end of the stream; the server lives', async () => {
  const openai = client(server.url, keys.trapping.key);
  assert.deepEqual(await refusal(openai.chat.completions.create(request)), { status: 502, code: 'program_trapped' });
  const stream = await openai.chat.completions.create({ ...request, stream: true });
  let text = '';
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += first(chunk.choices).delta.content ?? '';
    },
    (error: unknown) => error instanceof OpenAI.APIError && error.code === 'program_trapped',
  );
  assert.match(text, /Paris/);
  assert.match(said(await ask(keys.plain.key)), /Paris/);
});

test('a prompt over the context is refused with both numbers, through the program', async () => {
  const long = { ...request, messages: [{ role: 'user' as const, content: 'word '.repeat(600) }] };
  const error = await client(server.url, keys.shouting.key)
    .chat.completions.create(long)
    .then(
      () => assert.fail('it was answered'),
      error => error,
    );
  assert.equal(error.code, 'context_length_exceeded');
  assert.match(error.message, /\b6\d\d\b.*\b512\b/);
});
