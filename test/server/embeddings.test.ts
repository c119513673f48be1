import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { always, openAuthentication } from '../support/authentication.ts';
import { at } from '../support/entries.ts';
import { post, type Script, scripted } from './scripted.ts';

const silent: Script = { answer: () => '' };
const path = '/v1/embeddings';

test('a text, texts, tokens and lists of tokens', async () => {
  const { app, model } = scripted(silent);
  const ask = async (input: unknown) => (await app.fetch(post(path, { input, model: 'any' }))).json();
  const one = await ask('Hi');
  assert.deepEqual(one, {
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: [3, 0, Math.fround(0.1), 0, 0, 0, 0, 0] }],
    model: 'scripted',
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
  const first = ({ data }: { data: { index: number; embedding: number[] }[] }) =>
    data.map(({ index, embedding }) => [index, embedding[0], embedding[1]]);
  assert.deepEqual(first(await ask(['Hi', 'you'])), [
    [0, 3, 0],
    [1, 4, 0],
  ]);
  assert.deepEqual(first(await ask([7, 8])), [[0, 2, 7]]);
  const lists = await ask([[7, 8], [5]]);
  assert.deepEqual(first(lists), [
    [0, 2, 7],
    [1, 1, 5],
  ]);
  assert.deepEqual(lists.usage, { prompt_tokens: 3, total_tokens: 3 });
  const embedded = at(model.embedded, 0);
  assert.deepEqual([embedded.tenant, embedded.embed], ['default', true]);
});

test('base64 holds the same floats', async () => {
  const { app } = scripted(silent);
  const { data } = await (
    await app.fetch(post(path, { input: 'Hi', encoding_format: 'base64', dimensions: 8 }))
  ).json();
  const bytes = Buffer.from(data[0].embedding, 'base64');
  assert.deepEqual([...new Float32Array(new Uint8Array(bytes).buffer)], [3, 0, Math.fround(0.1), 0, 0, 0, 0, 0]);
});

test('many texts keep their order and go a few at a time; the log line has their tokens', async () => {
  const { app, model, lines } = scripted({ ...silent, pause: () => sleep(Math.random() * 4) });
  const input = Array.from({ length: 200 }, (_, i) => 'x'.repeat(i % 50));
  const body = await (await app.fetch(post(path, { input }))).json();
  assert.deepEqual(
    body.data.map((each: { embedding: number[] }) => each.embedding[0]),
    input.map(text => text.length + 1),
  );
  assert.equal(model.atOnce, 32);
  assert.equal(lines.at(-1)?.prompt_tokens, body.usage.prompt_tokens);
});

const refused: [body: object, code: string, param: string][] = [
  [{}, 'invalid_request', 'input'],
  [{ input: [] }, 'invalid_request', 'input'],
  [{ input: 5 }, 'invalid_request', 'input'],
  [{ input: [[]] }, 'invalid_request', 'input'],
  [{ input: ['a', 5] }, 'invalid_request', 'input'],
  [{ input: [-1] }, 'invalid_request', 'input'],
  [{ input: [1.5] }, 'invalid_request', 'input'],
  [{ input: [[7], [256]] }, 'invalid_request', 'input[1]'],
  [{ input: 'Hi', dimensions: 4 }, 'invalid_request', 'dimensions'],
  [{ input: 'Hi', dimensions: 0 }, 'invalid_request', 'dimensions'],
  [{ input: 'Hi', encoding_format: 'hex' }, 'invalid_request', 'encoding_format'],
  [{ input: Array(2049).fill('a') }, 'invalid_request', 'input'],
  [{ input: ['a', 'b'.repeat(200)] }, 'context_length_exceeded', 'input[1]'],
];
for (const [body, code, param] of refused) {
  test(`refused: ${JSON.stringify(body).slice(0, 60)}`, async () => {
    const { app, model } = scripted(silent);
    const response = await app.fetch(post(path, body));
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code, error.param], [400, code, param]);
    assert.equal(model.embedded.length, 0);
  });
}

test('the first failure ends the request, and what has not begun does not begin', async () => {
  const { app, model } = scripted({ ...silent, pause: () => sleep(2) });
  const response = await app.fetch(post(path, { input: [[9], ...Array(500).fill([5])] }));
  assert.deepEqual([response.status, (await response.json()).error.code], [500, 'engine_failed']);
  await sleep(20);
  assert.ok(model.embedded.length < 100);
  assert.equal(model.running, 0);
});

test('a client that leaves, and a deadline, end it', async () => {
  const left = scripted({ ...silent, pause: () => sleep(30) });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 10);
  await left.app.fetch(post(path, { input: 'Hi' }, { signal: controller.signal }));
  assert.equal(left.lines.at(-1)?.code, 'request_cancelled');
  const tenant = { ...openAuthentication()(undefined).tenant, deadlineMs: 10 };
  const late = scripted({ ...silent, pause: () => sleep(30) }, { authenticate: always(tenant) });
  const response = await late.app.fetch(post(path, { input: 'Hi' }));
  assert.deepEqual([response.status, (await response.json()).error.code], [504, 'deadline_exceeded']);
});
