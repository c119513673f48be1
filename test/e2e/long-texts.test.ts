/** Whatever texts and bodies a tenant sends, the thread that serves goes on: its event loop never stands still for long. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openModelText } from '../../src/llm/model-text.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { program } from '../sandbox/helpers.ts';
import { folder, metric, modelPath, serveWatched, type WatchedServer } from './server-process.ts';

const mostMs = 50;
const tries = 3;
const mega = 1 << 20;
const keys = { plain: createKey('plain'), encoding: createKey('encoding'), decoding: createKey('decoding') };
let files: Awaited<ReturnType<typeof folder>>;
let server: WatchedServer;

before(async () => {
  // Both give the host all of 4 MiB of their memory, and have no room for the answer.
  const calling = (call: string) =>
    program(
      `(memory.fill (i32.const 0) (i32.const 32) (i32.const 4194304))
       (drop (call ${call} (local.get $model) (i32.const 0) (i32.const LENGTH) (i32.const 0) (i32.const 0)))
       (i32.const 0)`.replace('LENGTH', call === '$encode' ? '4194304' : '1048576'),
      '',
      '(memory (export "memory") 80)',
    );
  files = await folder({
    'encode.wasm': calling('$encode'),
    'decode.wasm': calling('$decode'),
    'realm.yaml': `
server: { metrics: public }
models:
  - { id: tiny, path: ${JSON.stringify(await modelPath())}, context: 512 }
tenants:
  - { id: plain, keys: ["${keys.plain.hash}"] }
  - { id: encoding, keys: ["${keys.encoding.hash}"], program: encode.wasm }
  - { id: decoding, keys: ["${keys.decoding.hash}"], program: decode.wasm }
`,
  });
  server = await serveWatched(join(files.path, 'loop'), '--config', `${files.path}/realm.yaml`);
});
after(async () => {
  await server?.process.stop();
  await files?.remove();
});

function post(path: string, body: unknown, tenant: keyof typeof keys = 'plain'): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(server.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys[tenant].key}` },
    body: text,
  });
}

/** Does it until the longest pause meanwhile is short enough, and never more often than `tries`. */
async function undisturbed(work: () => Promise<unknown>): Promise<void> {
  const pauses: number[] = [];
  while (pauses.length < tries && !pauses.some(ms => ms < mostMs)) {
    await server.longestTurn();
    await work();
    pauses.push(await server.longestTurn());
  }
  assert.ok(Math.min(...pauses) < mostMs, `the event loop stood still for ${pauses} ms`);
}

const room = mega - 1000;
const spaces = ' '.repeat(room);
const user = (content: unknown) => ({ role: 'user', content });
const eight = (send: () => Promise<Response>) => async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, send));
  return answers.map(answer => answer.status);
};
const refused = async (response: Response, code: string) => {
  const { error } = (await response.json()) as { error: { code: string } };
  assert.equal(error.code, code);
};

test('eight clients tokenise a megabyte of spaces', async () => {
  await undisturbed(async () => {
    const statuses = await eight(() => post('/tokenize', { content: spaces }))();
    assert.deepEqual(new Set(statuses), new Set([200]));
  });
});

test('eight clients ask for eight answers to a megabyte of spaces', async () => {
  const body = { messages: [user(spaces)], n: 8 };
  await undisturbed(async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post('/v1/chat/completions', body)));
    for (const answer of answers) await refused(answer, 'context_length_exceeded');
  });
});

test('a prompt that cannot fit is refused by its length', async () => {
  const response = await post('/v1/chat/completions', { messages: [user('a b'.repeat(300_000))] });
  const { error } = (await response.json()) as { error: { message: string } };
  assert.match(error.message, /has 900\d\d\d bytes, which are at least \d+ tokens, and the model's context is 512/);
});

/** Bodies by what is wrong with them, and the code of the answer. */
const bodies: Record<string, [path: string, body: () => unknown, code: string]> = {
  'very many messages': ['/v1/chat/completions', () => ({ messages: Array(26_000).fill(user('')) }), 'invalid_request'],
  'very many wrong messages': [
    '/v1/chat/completions',
    () => ({ messages: Array(140_000).fill({}) }),
    'invalid_request',
  ],
  'very many wrong parts': [
    '/v1/chat/completions',
    () => ({ messages: [user(Array(500_000).fill(1))] }),
    'invalid_request',
  ],
  'very many stops': [
    '/v1/chat/completions',
    () => ({ messages: [user('')], stop: Array(500_000).fill(1) }),
    'invalid_request',
  ],
  'very many biases': [
    '/v1/chat/completions',
    () => ({
      messages: [user('')],
      logit_bias: Object.fromEntries(Array.from({ length: 80_000 }, (_, i) => [i, 'x'])),
    }),
    'invalid_request',
  ],
  'deep lists': ['/v1/chat/completions', () => '['.repeat(room), 'invalid_json'],
  'deep lists that end': [
    '/v1/chat/completions',
    () => `{"messages":${'['.repeat(room / 2)}${']'.repeat(room / 2)}}`,
    'invalid_request',
  ],
  'very many prompts': ['/v1/completions', () => ({ prompt: Array(250_000).fill('') }), 'invalid_request'],
  'a long prompt': ['/v1/completions', () => ({ prompt: spaces }), 'context_length_exceeded'],
  'very many inputs': ['/v1/embeddings', () => ({ input: Array(250_000).fill('') }), 'invalid_request'],
  'a long input': ['/v1/embeddings', () => ({ input: 'a b '.repeat(250_000) }), 'context_length_exceeded'],
  'very many input tokens': ['/v1/embeddings', () => ({ input: Array(500_000).fill(5) }), 'context_length_exceeded'],
  'very many wrong tokens': [
    '/detokenize',
    () => ({ tokens: Array(500_000).fill(1.5).slice(0, 250_000) }),
    'invalid_request',
  ],
};
for (const [what, [path, body, code]] of Object.entries(bodies)) {
  test(`${what} to ${path}`, async () => {
    const text = body();
    const sent = typeof text === 'string' ? text : JSON.stringify(text);
    await undisturbed(async () => refused(await post(path, sent), code));
  });
}

test('eight answers with a bias for every token', async () => {
  const logit_bias = Object.fromEntries(Array.from({ length: 49_152 }, (_, i) => [i, 1]));
  const body = JSON.stringify({ messages: [user('Hi')], n: 8, max_tokens: 2, logit_bias });
  await undisturbed(async () => assert.equal((await post('/v1/chat/completions', body)).status, 200));
});

test('answers of megabytes', async () => {
  const { tokenizer } = await openModelText(await modelPath());
  const content = Array.from({ length: 60_000 }, (_, i) => `w${i.toString(36)} 🙂`).join('\n');
  const tokens = tokenizer.encode(content, { addSpecial: false });
  let answers: Record<string, unknown>[] = [];
  await undisturbed(async () => {
    const responses = await Promise.all([
      post('/tokenize', { content }),
      post('/tokenize', { content, with_pieces: true }),
      post('/detokenize', { tokens: tokens.slice(0, 150_000) }),
      post('/apply-template', { messages: [user(content)] }),
    ]);
    answers = await Promise.all(responses.map(response => response.json() as Promise<Record<string, unknown>>));
  });
  const [tokenized = {}, pieces = {}, text = {}, chat = {}] = answers;
  assert.deepEqual(tokenized.tokens, tokens);
  assert.deepEqual(
    (pieces.tokens as { id: number }[]).map(({ id }) => id),
    tokens,
  );
  assert.equal(text.content, tokenizer.decode(tokens.slice(0, 150_000), { special: true }));
  assert.ok((chat.prompt as string).includes(content));
});

test('a program tokenises and detokenises megabytes', async () => {
  await undisturbed(async () => {
    const answers = [
      post('/v1/completions', { prompt: 'a' }, 'encoding'),
      post('/v1/completions', { prompt: 'a' }, 'decoding'),
    ];
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
  });
});

test("a tenant's texts, short and long, do not wait for all of another's", async () => {
  const before = await metric(server.url, 'realm_text_seconds_total');
  let over = false;
  const flood = eight(() => post('/tokenize', { content: spaces }))().then(() => {
    over = true;
  });
  for (const length of [10, 10, 100_000, 10]) {
    const response = await post('/tokenize', { content: ' '.repeat(length) }, 'encoding');
    assert.equal(response.status, 200);
    await response.json();
  }
  assert.ok(!over);
  await flood;
  assert.ok((await metric(server.url, 'realm_text_seconds_total')) > before);
});
