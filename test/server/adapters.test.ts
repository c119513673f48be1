import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { ProgramCall } from '../../src/sandbox/types.ts';
import { AdapterRegistry } from '../../src/server/adapters.ts';
import { createApp } from '../../src/server/app.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { adminAuthorization, keyAuthentication } from '../support/authentication.ts';
import { at, first } from '../support/entries.ts';
import { generated, post, registryOf, ScriptedModel, sandboxOf, scripted } from './scripted.ts';

const says = { answer: () => 'ok' };
const second = <T>(list: readonly T[]): T => at(list, 1);
const keys = { plain: createKey('plain'), own: createKey('own'), admin: createKey('admin') };
const tenants = [
  { id: 'plain', keys: [keys.plain.hash], ...tenantDefaults },
  { id: 'own', keys: [keys.own.hash], adapter: 'legal', ...tenantDefaults },
];

/** Two models, tenants with keys, and an administrator. */
function server(adminKeys: readonly string[] | undefined = [keys.admin.hash]) {
  const loaded = [new ScriptedModel('a', says), new ScriptedModel('b', says)];
  const models = registryOf(loaded);
  const adapters = new AdapterRegistry(models);
  const { services } = scripted(says, {
    models,
    adapters,
    anyModelName: false,
    localOnly: false,
    authenticate: keyAuthentication(tenants),
    authorizeAdmin: adminAuthorization(adminKeys, false),
  });
  const app = createApp(services);
  const ask = async (who: keyof typeof keys, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${keys[who].key}` };
    const request = body ? post(path, body, { headers }) : new Request(`http://localhost${path}`, { headers });
    const response = await app.fetch(request);
    const json = await response.json();
    return { status: response.status, json, code: json.error?.code };
  };
  const load = (lora_name: string, more: object = {}) =>
    ask('admin', '/v1/load_lora_adapter', { lora_name, lora_path: `${lora_name}.gguf`, model: 'b', ...more });
  const unload = (lora_name: string) => ask('admin', '/v1/unload_lora_adapter', { lora_name });
  const complete = (who: keyof typeof keys, model: string) => ask(who, '/v1/completions', { prompt: 'x', model });
  return { models: loaded, services, ask, load, unload, complete };
}

test('an adapter is a model that can be named, until it is unloaded', async () => {
  const { models, ask, load, unload, complete } = server();
  const loaded = await load('terse');
  assert.deepEqual([loaded.status, loaded.json.id, loaded.json.parent], [200, 'terse', 'b']);
  assert.deepEqual([...second(models).adapters], [['terse', resolve('terse.gguf')]]);
  const { json } = await ask('plain', '/v1/models');
  assert.deepEqual(
    json.data.map(({ id, parent }: { id: string; parent?: string }) => [id, parent]),
    [
      ['a', undefined],
      ['b', undefined],
      ['terse', 'b'],
    ],
  );
  assert.equal((await ask('plain', '/v1/models/terse')).json.parent, 'b');
  assert.equal((await complete('plain', 'terse')).json.model, 'terse');
  assert.equal((await complete('plain', 'b')).json.model, 'b');
  await ask('plain', '/v1/embeddings', { input: 'x', model: 'terse' });
  await ask('plain', '/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }], model: 'terse' });
  assert.deepEqual(
    [...second(models).requests, ...second(models).embedded].map(({ adapter }) => adapter),
    ['terse', undefined, 'terse', 'terse'],
  );
  assert.deepEqual((await ask('plain', '/tokenize', { content: 'x', model: 'terse' })).json, { tokens: [120] });
  assert.equal((await unload('terse')).json.deleted, true);
  assert.equal((await complete('plain', 'terse')).code, 'model_not_found');
  assert.equal((await ask('plain', '/v1/models')).json.data.length, 2);
  assert.equal(second(models).adapters.size, 0);
});

test("a tenant's own adapter applies to its model unless the request names another", async () => {
  const { models, load, unload, complete } = server();
  assert.equal((await complete('own', 'b')).code, 'adapter_not_found');
  await load('legal');
  await load('terse');
  assert.equal((await complete('own', 'b')).json.model, 'b');
  await complete('own', 'terse');
  await complete('own', 'a');
  await complete('plain', 'b');
  assert.deepEqual(
    second(models).requests.map(({ adapter }) => adapter),
    ['legal', 'terse', undefined],
  );
  assert.deepEqual(
    first(models).requests.map(({ adapter }) => adapter),
    [undefined],
  );
  await unload('legal');
  assert.deepEqual([(await complete('own', 'b')).status, second(models).requests.length], [404, 3]);
});

test('a program that asks another model gets it with the adapter of its tenant', async () => {
  const { models, services, load } = server();
  await load('legal');
  const sandbox = sandboxOf(async function* ({ host, prompt, signal }: ProgramCall) {
    for (const modelId of [0, 1] as ModelId[]) yield* generated(host, { modelId, prompt, options: {} }, signal);
  });
  const app = createApp({ ...services, sandbox });
  const headers = { authorization: `Bearer ${keys.own.key}` };
  await (await app.fetch(post('/v1/completions', { prompt: 'x', model: 'a' }, { headers }))).json();
  assert.deepEqual(
    [first(first(models).requests).adapter, first(second(models).requests).adapter],
    [undefined, 'legal'],
  );
});

test('a reserved adapter does not exist for other tenants', async () => {
  const { ask, load, complete } = server();
  await load('secret', { tenants: ['own'] });
  await load('legal', { tenants: ['nobody'] });
  const names = async (who: 'own' | 'plain') =>
    (await ask(who, '/v1/models')).json.data.map(({ id }: { id: string }) => id);
  assert.deepEqual(await names('own'), ['a', 'b', 'secret', 'legal']);
  assert.deepEqual(await names('plain'), ['a', 'b']);
  const refused = await complete('plain', 'secret');
  assert.equal(refused.code, 'model_not_found');
  assert.deepEqual(
    refused.json.error.message,
    (await complete('plain', 'sesame')).json.error.message.replace('sesame', 'secret'),
  );
  assert.equal((await ask('plain', '/v1/models/secret')).status, 404);
  assert.equal((await complete('own', 'secret')).status, 200);
});

test('what cannot be loaded or unloaded', async () => {
  const { models, ask, load, unload } = server();
  await load('terse');
  const refusals: [Promise<{ status: number; code: string }>, number, string][] = [
    [load('terse'), 409, 'adapter_exists'],
    [load('a'), 409, 'adapter_exists'],
    [load('broken'), 400, 'adapter_invalid'],
    [load('x', { model: 'c' }), 404, 'model_not_found'],
    [load('x', { model: 'terse' }), 404, 'model_not_found'],
    [load('x', { model: undefined }), 400, 'invalid_request'],
    [load('a b'), 400, 'invalid_request'],
    [load('x', { lora_path: '' }), 400, 'invalid_request'],
    [ask('admin', '/v1/load_lora_adapter', {}), 400, 'invalid_request'],
    [unload('x'), 404, 'adapter_not_found'],
    [unload('a'), 404, 'adapter_not_found'],
  ];
  for (const [answer, status, code] of refusals) {
    const got = await answer;
    assert.deepEqual([got.status, got.code], [status, code]);
  }
  assert.deepEqual([...second(models).adapters.keys()], ['terse']);
  const both = await Promise.all([load('twice'), load('twice')]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409]);
});

test('only the operator loads and unloads', async () => {
  const { ask } = server();
  const body = { lora_name: 'x', lora_path: 'x.gguf', model: 'b' };
  for (const path of ['/v1/load_lora_adapter', '/v1/unload_lora_adapter'])
    assert.deepEqual(await ask('plain', path, body).then(({ status, code }) => [status, code]), [
      401,
      'invalid_api_key',
    ]);
  assert.equal((await ask('admin', '/v1/completions', { prompt: 'x', model: 'a' })).status, 401);
  const without = server([]);
  assert.equal((await without.ask('admin', '/v1/load_lora_adapter', body)).status, 401);
  // No keys for administrators where tenants have keys: nobody is one.
  const { services } = server();
  const closed = createApp({ ...services, authorizeAdmin: adminAuthorization(undefined, false) });
  assert.equal((await closed.fetch(post('/v1/load_lora_adapter', body))).status, 403);
  // A server for this machine only has no keys at all; a web page still may not.
  const open = scripted(says);
  const load = (init: RequestInit) =>
    open.app.fetch(post('/v1/load_lora_adapter', { ...body, model: undefined }, init));
  assert.equal((await load({ headers: { origin: 'https://evil.example' } })).status, 403);
  assert.equal((await load({})).status, 200);
});

test('models and adapters may have names with slashes and colons', async () => {
  const first = new ScriptedModel('org/model:Q4_K_M', says);
  const second = new ScriptedModel('plain', says);
  const models = registryOf([first, second]);
  const { app } = scripted(says, { models, adapters: new AdapterRegistry(models), anyModelName: false });
  const get = async (path: string) => (await (await app.fetch(new Request(`http://localhost${path}`))).json()).id;
  const lora = { lora_name: 'org/style:v1.2', lora_path: 'x.gguf', model: 'org/model:Q4_K_M' };
  assert.equal((await app.fetch(post('/v1/load_lora_adapter', lora))).status, 200);
  for (const id of ['org/model:Q4_K_M', 'org/style:v1.2']) {
    assert.equal(await get(`/v1/models/${id}`), id);
    assert.equal(await get(`/v1/models/${encodeURIComponent(id)}`), id);
    const answer = await (await app.fetch(post('/v1/completions', { model: id, prompt: 'x' }))).json();
    assert.equal(answer.model, id);
  }
  assert.equal((await app.fetch(post('/v1/unload_lora_adapter', { lora_name: 'org/style:v1.2' }))).status, 200);
  for (const bad of ['/x', 'x/', 'a//b', 'a/../b', 'a/.b', ':x', 'a:', 'a b', 'x'.repeat(129), '']) {
    assert.equal((await app.fetch(post('/v1/load_lora_adapter', { ...lora, lora_name: bad }))).status, 400, bad);
  }
});

test('adapters come from the folders that the operator names', async () => {
  const { app, model } = scripted(says, { folders: ['/srv/adapters'] });
  const load = async (lora_path: string) =>
    (await app.fetch(post('/v1/load_lora_adapter', { lora_name: 'x', lora_path }))).status;
  for (const path of ['/etc/shadow', '/srv/adapters/../x.gguf', 'x.gguf', '/srv/adapters']) {
    assert.equal(await load(path), 403, path);
  }
  assert.equal(await load('/srv/adapters/x.gguf'), 200);
  assert.deepEqual([...model.adapters.values()], ['/srv/adapters/x.gguf']);
});
