import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../src/server/app.ts';
import type { Services } from '../../src/server/services.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { adminAuthorization } from '../support/authentication.ts';
import { at, first } from '../support/entries.ts';
import { frames, post, registryOf, scripted } from './scripted.ts';

const says = (text: string) => ({ answer: () => text });

test('a completion has its own shape and 16 tokens by default', async () => {
  const { app, model } = scripted(says('x'.repeat(50)));
  const body = await (await app.fetch(post('/v1/completions', { prompt: 'Once' }))).json();
  assert.match(body.id, /^cmpl-/);
  assert.equal(body.object, 'text_completion');
  assert.deepEqual(body.choices, [{ index: 0, text: 'x'.repeat(16), logprobs: null, finish_reason: 'length' }]);
  assert.equal(body.usage.prompt_tokens, 5);
  assert.deepEqual(first(model.requests).prompt, [0, ...Buffer.from('Once')]);
});

test('several prompts with n answers each, in order, and each prompt counted once', async () => {
  const { app, model } = scripted({
    answer: ({ prompt, sampling }) => `${String.fromCodePoint(at(prompt, 1))}${sampling.seed}`,
  });
  const body = await (await app.fetch(post('/v1/completions', { prompt: ['a', 'bb'], n: 2, seed: 1 }))).json();
  assert.deepEqual(
    body.choices.map((c: { text: string }) => c.text),
    ['a1', 'a2', 'b1', 'b2'],
  );
  assert.deepEqual(
    body.choices.map((c: { index: number }) => c.index),
    [0, 1, 2, 3],
  );
  assert.deepEqual([body.usage.prompt_tokens, body.usage.completion_tokens], [2 + 3, 8]);
  assert.equal(model.requests.length, 4);
});

test('completion logprobs have offsets, streamed ones go on where the text was', async () => {
  const { app } = scripted(says('abc'));
  const request = { prompt: 'x', logprobs: 1 };
  const body = await (await app.fetch(post('/v1/completions', request))).json();
  assert.deepEqual(body.choices[0].logprobs, {
    tokens: ['a', 'b', 'c'],
    token_logprobs: [-0.5, -0.5, -0.5],
    top_logprobs: [{ a: -0.5 }, { b: -0.5 }, { c: -0.5 }],
    text_offset: [0, 1, 2],
  });
  const all = await frames(await app.fetch(post('/v1/completions', { ...request, stream: true })));
  assert.deepEqual(
    all.slice(0, 3).map(chunk => chunk.choices[0].logprobs.text_offset),
    [[0], [1], [2]],
  );
  assert.equal(all.at(-2).choices[0].finish_reason, 'stop');
  assert.equal(all.at(-1), '[DONE]');
});

test('a completion that is longer than the context names its field', async () => {
  const { app } = scripted(says('x'));
  const { error } = await (await app.fetch(post('/v1/completions', { prompt: 'y'.repeat(300) }))).json();
  assert.deepEqual([error.code, error.param], ['context_length_exceeded', 'prompt']);
});

test('an empty prompt names its field, where the model puts no token before it', async () => {
  const { model, services } = scripted(says('x'));
  const encode = (text: string) => model.tokenizer.encode(text, { addSpecial: false });
  const bare = {
    ...model,
    tokenizer: { ...model.tokenizer, encode, bos: undefined },
    engine: model.engine,
    generate: model.generate,
  };
  const app = createApp({ ...services, models: registryOf([bare]) });
  const { error } = await (await app.fetch(post('/v1/completions', { prompt: '' }))).json();
  assert.deepEqual([error.code, error.param], ['invalid_request', 'prompt']);
});

test('tokenize and detokenize speak as llama-server does', async () => {
  const { app } = scripted(says('x'));
  const ask = async (path: string, body: object) => (await app.fetch(post(path, body))).json();
  assert.deepEqual(await ask('/tokenize', { content: 'Hi' }), { tokens: [72, 105] });
  assert.deepEqual(await ask('/tokenize', { content: 'H', add_special: true }), { tokens: [0, 72] });
  assert.deepEqual(await ask('/tokenize', { content: 'Hé', with_pieces: true }), {
    tokens: [
      { id: 72, piece: 'H' },
      { id: 233, piece: [233] },
    ],
  });
  assert.deepEqual(await ask('/tokenize', { content: '' }), { tokens: [] });
  // vLLM's fields and default.
  assert.deepEqual(await ask('/tokenize', { prompt: 'H' }), { tokens: [0, 72] });
  assert.deepEqual(await ask('/tokenize', { prompt: 'H', add_special_tokens: false }), { tokens: [72] });
  assert.deepEqual(await ask('/detokenize', { tokens: [72, 105] }), { content: 'Hi' });
  assert.deepEqual(await ask('/apply-template', { messages: [{ role: 'user', content: 'Hi' }] }), {
    prompt: '[user]Hi[assistant]',
    values: [[6, 8]],
  });
});

test('whoever encodes through the server finds where texts begin and end', async () => {
  const { app } = scripted(says('x'));
  const info = await (await app.fetch(new Request('http://localhost/tokenizer_info'))).json();
  assert.deepEqual(info, { bos_token: '\0', eos_token: '\u0001', chat_template: '' });
  const other = scripted(says('x'), { anyModelName: false });
  const unknown = await other.app.fetch(new Request('http://localhost/tokenizer_info?model=none'));
  assert.equal(unknown.status, 404);
});

test('metrics show requests, tokens and the engine; on other machines only when public', async () => {
  const { app } = scripted(says('abc'), { metricsFor: 'local' });
  await app.fetch(post('/v1/completions', { prompt: 'x' }));
  const read = (remoteAddress?: string) => app.fetch(new Request('http://localhost/metrics'), { remoteAddress });
  const page = await (await read('127.0.0.1')).text();
  assert.match(page, /^realm_requests_total\{route="\/v1\/completions",status="200"\} 1$/m);
  assert.match(page, /^realm_tokens_total\{model="scripted",kind="completion"\} 3$/m);
  assert.match(page, /^realm_kv_pages\{model="scripted"\} 10$/m);
  assert.match(page, /^realm_requests_open 0$/m);
  assert.equal((await read('::ffff:127.0.0.1')).status, 200);
  assert.equal((await read('10.0.0.1')).status, 404);
  assert.equal((await read()).status, 404);
});

test('with tenants metrics are for the operator, wherever he is, unless they are public', async () => {
  const admin = createKey('admin');
  const keyed = { metricsFor: 'local', localOnly: false } as const;
  const read = (overrides: Partial<Services>, key?: string) => {
    const { app } = scripted(says('abc'), { ...keyed, ...overrides });
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const request = new Request('http://localhost/metrics', { headers });
    return app.fetch(request, { remoteAddress: key === undefined ? '127.0.0.1' : '10.0.0.1' });
  };
  const operator = { authorizeAdmin: adminAuthorization([admin.hash], false) };
  assert.equal((await read(operator, admin.key)).status, 200);
  for (const key of [undefined, createKey('x').key]) {
    const refused = await read(operator, key);
    assert.deepEqual([refused.status, (await refused.json()).error.code], [401, 'invalid_api_key']);
  }
  const nobody = { authorizeAdmin: adminAuthorization(undefined, false) };
  const closed = await read(nobody);
  const { error } = await closed.json();
  assert.deepEqual([closed.status, error.code], [403, 'no_admin_keys']);
  assert.match(error.message, /server\.admin_keys/);
  assert.equal((await read({ ...nobody, metricsFor: 'public' })).status, 200);
});

test('metrics for this machine are not for those that a proxy on it or a page in its browser asks for', async () => {
  const { app } = scripted(says('abc'), { metricsFor: 'local' });
  const read = (headers: Record<string, string>, host = 'localhost') =>
    app.fetch(new Request(`http://${host}/metrics`, { headers }), { remoteAddress: '127.0.0.1' });
  for (const name of ['forwarded', 'via', 'X-Forwarded-For', 'x-real-ip', 'x-forwarded-proto', 'cf-connecting-ip']) {
    assert.equal((await read({ [name]: '127.0.0.1' })).status, 404, name);
  }
  assert.equal((await read({ origin: 'https://evil.example' })).status, 404);
  assert.equal((await read({}, 'evil.example')).status, 404);
  assert.equal((await read({ origin: 'http://localhost:3000' })).status, 200);
  assert.equal((await read({}, '127.0.0.1:8080')).status, 200);
});

test('slashes too many, and a base address without /v1, are understood; labels stay the same', async () => {
  const { app, lines } = scripted(says('abc'));
  const chat = { messages: [{ role: 'user', content: 'Hi' }] };
  for (const path of [
    '/v1/chat/completions/',
    '//v1//chat/completions',
    '/chat/completions',
    '/chat/completions//?a=b',
  ]) {
    assert.equal((await app.fetch(post(path, chat))).status, 200, path);
    assert.equal((await app.fetch(new Request(`http://localhost${path}`))).status, 405, path);
  }
  assert.equal((await app.fetch(post('/completions', { prompt: 'x' }))).status, 200);
  assert.equal((await app.fetch(post('/embeddings/', { input: 'x' }))).status, 200);
  for (const path of ['/models', '/models/scripted', '/v1/models/scripted/', '/health/', '//ready', '/metrics/']) {
    assert.equal((await app.fetch(new Request(`http://localhost${path}`))).status, 200, path);
  }
  for (const path of ['/v1', '/v1/', '/v2/models', '/v1/v1/models']) {
    assert.equal((await app.fetch(new Request(`http://localhost${path}`))).status, 404, path);
  }
  const page = await (await app.fetch(new Request('http://localhost/metrics'))).text();
  assert.match(page, /route="\/v1\/chat\/completions",status="200"\} 4$/m);
  assert.ok(!page.includes('route="/chat'));
  assert.equal(lines[0]!.status, 200);
});

test('a path that somebody tries does not become a label', async () => {
  const { app } = scripted(says('abc'));
  await app.fetch(new Request('http://localhost/etc/passwd'));
  const page = await (await app.fetch(new Request('http://localhost/metrics'))).text();
  assert.ok(!page.includes('passwd'));
  assert.match(page, /route="unknown",status="404"\} 1/);
});
