/** Functions called over /v1/ws, against a real listener and a scripted model. */
import assert from 'node:assert/strict';
import { after, mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { authMs } from '../../src/server/calls/talk.ts';
import { type ListenOptions, listen } from '../../src/server/node.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { CallsClient } from './calls-socket.ts';
import { type Script, scripted } from './scripted.ts';

const says = (text: string) => ({ answer: () => text });
const messages = [{ role: 'user', content: 'Hi' }];
const open: (() => void)[] = [];
after(() => {
  for (const close of open) close();
});

async function serve(script: Script, overrides: Parameters<typeof scripted>[1] = {}, options: ListenOptions = {}) {
  const parts = scripted(script, overrides);
  const listener = await listen(parts.app, '127.0.0.1', 0, { messageBytes: 10_000, ...options });
  open.push(() => listener.destroy());
  const url = `127.0.0.1:${listener.port}`;
  const connect = (headers: Record<string, string> = {}) => {
    const client = new CallsClient(url, { headers });
    open.push(() => client.socket.terminate());
    return client.opened();
  };
  /** Past the first word. */
  const enter = async () => {
    const client = await connect();
    assert.equal((await client.next()).type, 'auth_success');
    return client;
  };
  return { ...parts, listener, url, connect, enter };
}

const acme = createKey('acme');
const other = createKey('other');
const keyed = () => ({
  localOnly: false,
  authenticate: keyAuthentication([
    { id: 'acme', keys: [acme.hash], ...tenantDefaults },
    { id: 'other', keys: [other.hash], ...tenantDefaults },
  ]),
});

test('a chat is streamed and then completed', async () => {
  const { enter, services } = await serve(says('abc'));
  const client = await enter();
  const all = await client.call('1', 'generate', { messages });
  assert.deepEqual(
    all.slice(0, -1),
    ['a', 'b', 'c'].map((text, index) => ({ id: '1', status: 'streaming', data: { index, choice: 0, text } })),
  );
  const { id, status, data } = all.at(-1);
  assert.deepEqual([id, status], ['1', 'complete']);
  assert.deepEqual([data.text, data.finish_reason, data.tokens_generated], ['abc', 'stop', 3]);
  assert.equal(data.prompt_tokens, data.usage.prompt_tokens);
  assert.match(data.request_id, /^req_/);
  assert.equal(services.state.open.size, 0);
});

test('a prompt is a completion, and without streaming there is one message', async () => {
  const { enter, model } = await serve(says('abc'));
  const client = await enter();
  const all = await client.call(7, 'generate', { prompt: 'Once', stream: false, max_tokens: 2 });
  assert.equal(all.length, 1);
  assert.equal(all[0].id, 7);
  assert.deepEqual([all[0].data.text, all[0].data.finish_reason], ['ab', 'length']);
  assert.deepEqual(model.requests[0]!.prompt, [0, ...Buffer.from('Once')]);
});

test('several answers are told apart, with log-probabilities', async () => {
  const { enter } = await serve(says('ab'));
  const client = await enter();
  const all = await client.call('n', 'generate', { messages, n: 2, logprobs: true });
  const pieces = all.slice(0, -1).map(({ data }) => data);
  assert.deepEqual(new Set(pieces.map(({ choice }) => choice)), new Set([0, 1]));
  assert.equal(pieces[0].logprobs.content.length, 1);
  assert.deepEqual(
    all.at(-1).data.choices.map(({ text }: { text: string }) => text),
    ['ab', 'ab'],
  );
});

test('health and metadata tell what there is', async () => {
  const { enter } = await serve(says(''));
  const client = await enter();
  const [health] = await client.call('h', 'health');
  assert.deepEqual([health.status, health.data.status], ['complete', 'ok']);
  const [metadata] = await client.call('m', 'metadata');
  const names = metadata.data.functions.map(({ name }: { name: string }) => name);
  assert.deepEqual(names, ['generate', 'pipeline', 'cancel', 'health', 'metadata']);
  assert.equal(metadata.data.models[0].id, 'scripted');
  assert.equal(metadata.data.version, health.data.version);
});

test('many calls at once on one connection, each with its own answer', async () => {
  const { enter } = await serve({ answer: ({ prompt }) => String.fromCodePoint(...prompt.slice(1)) });
  const client = await enter();
  for (let i = 0; i < 1000; i++)
    client.send({ id: i, function: 'generate', params: { prompt: `p${i}`, stream: i % 2 === 0 } });
  const texts = new Map<number, string>();
  while (texts.size < 1000) {
    const { id, status, data, error } = await client.next();
    assert.ok(status === 'streaming' || status === 'complete', JSON.stringify(error));
    if (status === 'complete') texts.set(id, data.text);
  }
  for (const [id, text] of texts) assert.equal(text, `p${id}`);
});

test('a call is cancelled by its id, alone', async () => {
  const gate = Promise.withResolvers<void>();
  const { enter, services, model } = await serve({ answer: () => 'abcdef', pause: () => gate.promise });
  const client = await enter();
  for (const id of ['one', 'two']) client.send({ id, function: 'generate', params: { messages } });
  while (model.requests.length < 2) await sleep(5);
  client.send({ id: 'one', function: 'cancel' });
  const [exchange] = services.state.open;
  while (!exchange!.signal.aborted) await sleep(5);
  gate.resolve();
  const ended = new Map<string, string>();
  while (ended.size < 2) {
    const { id, status } = await client.next();
    if (status !== 'streaming') ended.set(id, status);
  }
  assert.deepEqual(Object.fromEntries(ended), { one: 'cancelled', two: 'complete' });
  assert.equal(services.state.open.size, 0);
  client.send({ id: 'one', function: 'cancel' });
  assert.equal((await client.next()).error.code, 'request_not_found');
});

test('what a route refuses is an error of its call, with code and param', async () => {
  const { enter } = await serve(says('x'), { anyModelName: false });
  const client = await enter();
  const refusal = async (params: object) => {
    const [{ id, status, error }] = await client.call('r', 'generate', params);
    assert.deepEqual([id, status], ['r', 'error']);
    return [error.code, error.param];
  };
  assert.deepEqual(await refusal({ messages, model: 'none' }), ['model_not_found', 'model']);
  assert.deepEqual(await refusal({ messages, temperature: -1 }), ['invalid_request', 'temperature']);
  assert.deepEqual(await refusal({}), ['invalid_request', 'messages']);
  assert.deepEqual(await refusal({ messages, prompt: 'x' }), ['invalid_request', 'prompt']);
  assert.deepEqual(await refusal({ messages, stream: 1 }), ['invalid_request', 'stream']);
});

test('a failure in the middle of an answer is the last word of its call', async () => {
  const { enter } = await serve({ answer: () => 'abc', failAfter: { tokens: 1, error: new Error('secret') } });
  const client = await enter();
  const all = await client.call('f', 'generate', { messages });
  assert.equal(all.at(-1).status, 'error');
  assert.equal(all.at(-1).error.code, 'internal_error');
  assert.doesNotMatch(JSON.stringify(all), /secret/);
});

test('with keys, the key comes with the first message or with the connection', async () => {
  const { connect } = await serve(says('x'), keyed());
  const late = await connect();
  assert.equal((await late.next()).type, 'auth_required');
  late.send({ type: 'auth', api_key: acme.key });
  assert.deepEqual(await late.next(), { type: 'auth_success', tenant_id: 'acme' });
  assert.equal((await late.call('1', 'generate', { messages })).at(-1).status, 'complete');
  const [wrongTenant] = await late.call('t', 'health', undefined, 'other');
  assert.equal(wrongTenant.error.code, 'permission_denied');
  late.send({ type: 'auth', api_key: other.key });
  assert.deepEqual(await late.next(), { type: 'auth_success', tenant_id: 'other' });
  const early = await connect({ authorization: `Bearer ${acme.key}` });
  assert.deepEqual(await early.next(), { type: 'auth_success', tenant_id: 'acme' });
  const wrong = await connect({ authorization: 'Bearer realm_wrong' });
  assert.equal((await wrong.next()).type, 'auth_failed');
  assert.equal(await wrong.closed, 1008);
});

test('without a key nothing is answered, and the connection ends', async () => {
  const { connect, model } = await serve(says('x'), keyed());
  const first = [
    { type: 'auth', api_key: 'realm_wrong' },
    { type: 'auth' },
    { id: '1', function: 'generate', params: { messages } },
    'garbage',
    'x'.repeat(9000),
  ];
  for (const message of first) {
    const client = await connect();
    assert.equal((await client.next()).type, 'auth_required');
    client.send(message);
    const { type, error } = await client.next();
    assert.deepEqual([type, error.code], ['auth_failed', 'invalid_api_key'], JSON.stringify(message).slice(0, 50));
    assert.equal(await client.closed, 1008);
  }
  assert.equal(model.requests.length, 0);
});

test('whoever does not say in time who it is has to go', async t => {
  const { connect } = await serve(says('x'), keyed());
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const client = await connect();
  assert.equal((await client.next()).timeout_ms, authMs);
  mock.timers.tick(authMs);
  assert.equal((await client.next()).type, 'auth_failed');
  assert.equal(await client.closed, 1008);
});

test('a key that is taken back opens nothing, also on an open connection', async () => {
  const { authenticate, localOnly } = keyed();
  let revoked = false;
  const { connect } = await serve(says('x'), {
    localOnly,
    authenticate: authorization => authenticate(revoked ? undefined : authorization),
  });
  const client = await connect({ authorization: `Bearer ${acme.key}` });
  await client.next();
  revoked = true;
  assert.equal((await client.call('1', 'generate', { messages }))[0].error.code, 'invalid_api_key');
});

test('pages from elsewhere may not connect, those that are named may', async () => {
  const { http } = defaultConfig();
  const named = { http: { ...http, origins: ['https://app.example'] } };
  for (const overrides of [named, { ...named, ...keyed() }]) {
    const { connect, url } = await serve(says('x'), overrides);
    await assert.rejects(connect({ origin: 'https://evil.example' }), /403/);
    await connect({ origin: 'https://app.example' });
    await connect({ origin: `http://${url}` });
  }
  const { url } = await serve(says('x'));
  assert.equal((await fetch(`http://${url}/v1/ws`)).status, 426);
});

test('connections are counted: in all, of a tenant, and of strangers', async () => {
  const sockets = { connections: 8, tenantConnections: 3 };
  const { connect } = await serve(says('x'), keyed(), { sockets });
  const strangers = [await connect(), await connect()];
  await assert.rejects(connect(), /429/);
  const [first, second] = strangers;
  first!.send({ type: 'auth', api_key: acme.key });
  await first!.next();
  assert.equal((await first!.next()).type, 'auth_success');
  second!.socket.close();
  await second!.closed;
  for (let i = 0; i < 2; i++) {
    const client = await connect();
    await client.next();
    client.send({ type: 'auth', api_key: acme.key });
    assert.equal((await client.next()).type, 'auth_success');
  }
  const fourth = await connect();
  await fourth.next();
  fourth.send({ type: 'auth', api_key: acme.key });
  assert.equal((await fourth.next()).error.code, 'too_many_connections');
  await fourth.closed;
  first!.socket.terminate();
  await sleep(50);
  const again = await connect();
  await again.next();
  again.send({ type: 'auth', api_key: acme.key });
  assert.equal((await again.next()).type, 'auth_success');
});

test('a server that stops lets calls finish and closes connections', async () => {
  const gate = Promise.withResolvers<void>();
  const { enter, listener, model } = await serve({ answer: () => 'ab', pause: () => gate.promise });
  const [busy, idle] = [await enter(), await enter()];
  busy.send({ id: '1', function: 'generate', params: { messages, stream: false } });
  while (model.requests.length === 0) await sleep(5);
  listener.stop();
  assert.equal(await idle.closed, 1001);
  gate.resolve();
  assert.equal((await busy.next()).status, 'complete');
  assert.equal(await busy.closed, 1001);
});
