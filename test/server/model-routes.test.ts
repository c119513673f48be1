/** Models that come and go while requests are answered: the operator's routes, and what a tenant sees of it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RealmError } from '../../src/errors.ts';
import { unmetered } from '../../src/metering/meter.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { metered } from '../../src/server/metered-model.ts';
import { definitionOf } from '../../src/server/model-loader.ts';
import type { ModelLoader } from '../../src/server/model-loads.ts';
import { ModelMemory } from '../../src/server/model-memory.ts';
import { ModelRegistry } from '../../src/server/model-registry.ts';
import { ModelStore } from '../../src/server/model-store.ts';
import type { Services } from '../../src/server/services.ts';
import { openStore } from '../../src/store/open.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { adminAuthorization, keyAuthentication } from '../support/authentication.ts';
import { at, first } from '../support/entries.ts';
import { generated, post, ScriptedModel, sandboxOf, scripted } from './scripted.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-models-'));
  for (const name of ['a', 'b', 'c', 'org']) await writeFile(join(folder, `${name}.gguf`), 'GGUF');
});
after(() => rm(folder, { recursive: true }));

/** Loads models that say their name; each takes 3 bytes. */
class Loader implements ModelLoader {
  readonly models: ScriptedModel[] = [];
  error: Error | undefined;
  gate: Promise<void> | undefined;
  adapters: Services['adapters'] | undefined;

  need = async () => 3;

  async load({ id, modelId }: Parameters<ModelLoader['load']>[0], { onProgress }: Parameters<ModelLoader['load']>[1]) {
    onProgress(1, 3);
    await this.gate;
    if (this.error) throw this.error;
    const model = new ScriptedModel(id, { answer: () => id });
    this.models.push(model);
    const own = metered(model, unmetered);
    await this.adapters?.restore(modelId, own);
    return own;
  }
}

/** A server of the models `ids` of `realm.yaml`, all on demand, of which memory holds `places`. */
async function server(
  t: TestContext,
  ids: string[],
  { places = 9, ...more }: Partial<Services> & { places?: number } = {},
) {
  const loader = new Loader();
  const models = new ModelRegistry({ loader, memory: new ModelMemory(places * 3), retryMs: 50, patienceMs: 5 });
  for (const [i, id] of ids.entries()) models.add(definitionOf({ load: 'demand' }, id, 'file'), i as ModelId);
  const store = await openStore('memory');
  const modelStore = new ModelStore(store);
  t.after(() => store.close());
  const { app, services, lines } = scripted(
    { answer: () => '' },
    { models, modelStore, anyModelName: false, folders: [folder], ...more },
  );
  const send = async (method: string, path: string, body?: object, key?: string) => {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const response = await app.fetch(new Request(`http://localhost${path}`, init));
    return { status: response.status, headers: response.headers, json: await response.json() };
  };
  const complete = (model: string) => send('POST', '/v1/completions', { model, prompt: 'x' });
  const textOf = async (model: string) => (await complete(model)).json.choices?.[0].text;
  return { app, services, lines, loader, models, modelStore, send, complete, textOf };
}

test('the first request has a model loaded; the list says what is known of it', async t => {
  const { send, textOf, loader } = await server(t, ['a', 'b'], { places: 1 });
  const states = async () =>
    (await send('GET', '/admin/v1/models')).json.data.map((each: { state: string }) => each.state);
  assert.deepEqual(await states(), ['unloaded', 'unloaded']);
  assert.deepEqual(
    (await send('GET', '/v1/models')).json.data.map(({ id, state }: never) => [id, state]),
    [
      ['a', 'unloaded'],
      ['b', 'unloaded'],
    ],
  );
  assert.deepEqual((await send('GET', '/api/ps')).json.models, []);
  assert.equal(await textOf('b'), 'b');
  const [, b] = (await send('GET', '/admin/v1/models')).json.data;
  assert.ok(Date.parse(b.loaded_at) > 0);
  assert.deepEqual(b, {
    id: 'b',
    number: 1,
    source: 'file',
    load: 'demand',
    state: 'ready',
    error: null,
    progress: null,
    device: 'cpu',
    memory_bytes: 3,
    gpu_memory_bytes: 0,
    pinned: false,
    aliases: [],
    idle_seconds: 300,
    loaded_at: b.loaded_at,
    leases: 0,
    running: 0,
    waiting: 0,
    local_page: null,
  });
  assert.equal((await send('GET', '/api/ps')).json.models[0].name, 'b');
  assert.equal(await textOf('a'), 'a');
  assert.deepEqual(await states(), ['ready', 'unloaded']);
  assert.equal(first((await send('GET', '/v1/models')).json.data as { meta: object }[]).meta !== undefined, true);
  assert.equal(loader.models.length, 2);
});

test('a stream that waits for its model says that it lives', async t => {
  const { app, loader, services } = await server(t, ['a'], {
    http: { origins: [], keepAliveMs: 1000, heartbeatMs: 20 },
  });
  const gate = Promise.withResolvers<void>();
  loader.gate = gate.promise;
  const response = await app.fetch(post('/v1/completions', { model: 'a', prompt: 'x', stream: true }));
  assert.equal(response.status, 200);
  const reader = response.body!.getReader();
  const text = async () => new TextDecoder().decode((await reader.read()).value);
  assert.equal(await text(), ': waiting\n\n');
  gate.resolve();
  let rest = '';
  for (let piece = await text(); piece !== ''; piece = await text()) rest += piece;
  assert.match(rest, /"text":"a".*\[DONE\]/s);
  assert.equal(services.models.find('a')!.leases, 0);
});

test('a model that cannot be loaded: 503 for its requests, why for the operator, and another try later', async t => {
  const { send, complete, loader, textOf } = await server(t, ['a', 'b']);
  loader.error = new RealmError('gguf_invalid', `${folder}/a.gguf: is none`);
  const { status, json, headers } = await complete('a');
  assert.deepEqual([status, json.error.code, headers.get('retry-after')], [503, 'model_unavailable', '1']);
  assert.ok(!json.error.message.includes(folder));
  const [a] = (await send('GET', '/admin/v1/models')).json.data;
  assert.deepEqual([a.state, a.error.code, a.error.message], ['failed', 'gguf_invalid', `${folder}/a.gguf: is none`]);
  assert.deepEqual((await send('GET', '/health')).json, { status: 'degraded', failed_models: 1, devices: [] });
  assert.equal((await send('POST', '/admin/v1/models/a/load')).json.error.code, 'gguf_invalid');
  loader.error = undefined;
  assert.equal(await textOf('b'), 'b');
  assert.equal((await send('POST', '/admin/v1/models/a/load')).json.state, 'ready');
  assert.equal(await textOf('a'), 'a');
});

test('models are added, renamed and removed; the next server has them under the same numbers', async t => {
  const { send, textOf, models, modelStore } = await server(t, ['a']);
  const added = await send('POST', '/admin/v1/models', { id: 'org/b:1', path: `${folder}/b.gguf`, aliases: ['gpt'] });
  assert.deepEqual([added.status, added.json.number, added.json.source], [200, 1000, 'store']);
  assert.equal(await textOf('gpt'), 'org/b:1');
  const c = { id: 'c', path: `${folder}/c.gguf`, load: 'demand' };
  assert.equal((await send('POST', '/admin/v1/models', c)).json.state, 'unloaded');
  const changed = await send('PATCH', '/admin/v1/models/org/b:1', { pinned: true, aliases: [], idle_seconds: null });
  assert.deepEqual([changed.json.pinned, changed.json.aliases, changed.json.idle_seconds], [true, [], null]);
  assert.equal((await textOf('gpt')) ?? 'none', 'none');
  assert.deepEqual((await send('DELETE', '/admin/v1/models/c')).json, { id: 'c', deleted: true });
  assert.equal((await send('POST', '/admin/v1/models', c)).json.number, 1002);
  const kept = (await modelStore.list()).map(({ number, document }) => [number, document.id, document.pinned]);
  assert.deepEqual(kept, [
    [1000, 'org/b:1', true],
    [1002, 'c', undefined],
  ]);
  assert.deepEqual([models.at(1001 as ModelId), models.at(1002 as ModelId)?.id], [undefined, 'c']);
  const file = await send('DELETE', '/admin/v1/models/a');
  assert.deepEqual([file.status, file.json.error.code], [400, 'invalid_request']);
});

test('what is wrong with a new model is said before it is one', async t => {
  const { send, models } = await server(t, ['a']);
  const refusal = async (body: object) => {
    const { status, json } = await send('POST', '/admin/v1/models', body);
    return [status, json.error.code, json.error.param];
  };
  assert.deepEqual(await refusal({ id: 'a', path: `${folder}/b.gguf` }), [409, 'model_exists', null]);
  assert.deepEqual(await refusal({ id: 'b' }), [400, 'invalid_request', null]);
  assert.deepEqual(await refusal({ id: 'b', path: '/etc/hostname' }), [400, 'invalid_request', 'path']);
  assert.deepEqual(await refusal({ id: 'b', path: `${folder}/none.gguf` }), [400, 'invalid_request', 'path']);
  assert.deepEqual(await refusal({ id: 'b', catalog: 'none' }), [400, 'invalid_request', 'catalog']);
  // A path has to come as one, and to lie within the folders of the server.
  for (const catalog of ['/etc/hostname', `${folder}/b.gguf`, 'hf:none', 'org/repo'])
    assert.deepEqual(await refusal({ id: 'b', catalog }), [400, 'invalid_request', 'catalog'], catalog);
  assert.deepEqual(await refusal({ id: 'b', catalog: 'smollm2-135m', size: 1 }), [400, 'invalid_request', 'size']);
  const template = { id: 'b', path: `${folder}/b.gguf`, chat_template: '/etc/hostname' };
  assert.deepEqual(await refusal(template), [400, 'invalid_request', 'chat_template']);
  assert.equal(models.all.length, 1);
  assert.equal((await send('PATCH', '/admin/v1/models/none', {})).status, 404);
});

test('a model of a hub or of Ollama is added by its name', async t => {
  const { send } = await server(t, ['a']);
  for (const [id, catalog] of [
    ['h', 'hf:org/repo:Q8_0'],
    ['o', 'ollama:qwen3:4b'],
  ]) {
    const { status, json } = await send('POST', '/admin/v1/models', { id, catalog, load: 'demand' });
    assert.deepEqual([status, json.id, json.state], [200, id, 'unloaded']);
  }
});

test('changes are events: what is there, how far loading is, what is gone', async t => {
  const { app, send, loader, services } = await server(t, ['a']);
  const gate = Promise.withResolvers<void>();
  loader.gate = gate.promise;
  const response = await app.fetch(new Request('http://localhost/admin/v1/models/events'));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => {
    const [, kind, data] = /event: (\w+)\ndata: (.*)\n\n/.exec((await reader.read()).value ?? '')!;
    return [kind, JSON.parse(data!)] as const;
  };
  assert.equal((await next())[1].state, 'unloaded');
  const loading = send('POST', '/admin/v1/models/a/load');
  let [kind, status] = await next();
  while (status.progress?.loaded !== 1) [kind, status] = await next();
  assert.deepEqual([kind, status.state, status.progress], ['model', 'loading', { loaded: 1, total: 3 }]);
  gate.resolve();
  await loading;
  assert.equal((await next())[1].state, 'ready');
  await send('POST', '/admin/v1/models', { id: 'b', path: `${folder}/b.gguf`, load: 'demand' });
  assert.equal((await next())[1].id, 'b');
  await send('DELETE', '/admin/v1/models/b');
  assert.deepEqual(await next(), ['removed', { id: 'b' }]);
  await reader.cancel();
  while (services.state.open.size > 0) await turn();
});

test('all of it is for the operator; a tenant can neither see nor unload', async t => {
  const [tenant, admin] = [createKey('t'), createKey('admin')];
  const { send, textOf, services } = await server(t, ['a'], {
    localOnly: false,
    authenticate: keyAuthentication([{ id: 't', keys: [tenant.hash], ...tenantDefaults }]),
    authorizeAdmin: adminAuthorization([admin.hash], false),
  });
  for (const [method, path] of [
    ['GET', '/admin/v1/models'],
    ['GET', '/admin/v1/models/events'],
    ['POST', '/admin/v1/models/a/load'],
    ['DELETE', '/admin/v1/models/a'],
  ] as const)
    assert.equal((await send(method, path, undefined, tenant.key)).status, 401);
  assert.equal((await send('GET', '/admin/v1/models', undefined, admin.key)).status, 200);
  assert.equal(await textOf('a'), undefined);
  const away = { model: 'a', keep_alive: 0 };
  const loaded = await send('POST', '/api/generate', { model: 'a' }, tenant.key);
  assert.deepEqual([loaded.json.done_reason, services.models.find('a')!.state], ['load', 'ready']);
  const { status, json } = await send('POST', '/api/generate', away, tenant.key);
  assert.deepEqual(
    [status, json.code ?? json.error.code ?? json.error],
    [403, json.code ?? json.error.code ?? json.error],
  );
  assert.equal(services.models.find('a')!.state, 'ready');
});

test('a program that asks another model has that loaded; an adapter comes back with its model', async t => {
  const sandbox = sandboxOf(async function* ({ host, prompt, signal }) {
    for (const modelId of [0, 1] as ModelId[]) yield* generated(host, { modelId, prompt, options: {} }, signal);
    yield JSON.parse(await host.metadata(1 as ModelId)).id;
  });
  const { send, textOf, loader, services } = await server(t, ['a', 'b'], { sandbox });
  assert.equal(await textOf('a'), 'abb');
  const lora = { lora_name: 'style', lora_path: `${folder}/c.gguf`, model: 'b' };
  assert.equal((await send('POST', '/v1/load_lora_adapter', lora)).status, 200);
  assert.equal((await send('POST', '/admin/v1/models/b/unload')).json.state, 'unloaded');
  assert.equal((await send('GET', '/v1/models/style')).json.parent, 'b');
  loader.adapters = services.adapters;
  assert.equal((await send('POST', '/v1/completions', { model: 'style', prompt: 'x' })).json.model, 'style');
  assert.deepEqual([...at(loader.models, 2).adapters.keys()], ['style']);
  assert.equal((await send('POST', '/admin/v1/models/b/unload')).json.state, 'unloaded');
  assert.equal((await send('POST', '/v1/unload_lora_adapter', { lora_name: 'style' })).status, 200);
  assert.equal(loader.models.length, 3);
});

test('a failure, a leaving client and a deadline each give the model back', async t => {
  const { app, complete, loader, services } = await server(t, ['a'], {
    authenticate: () => ({
      tenant: { id: 't', ...tenantDefaults, deadlineMs: 50 },
      keyId: undefined,
      scopes: ['inference'],
    }),
  });
  const slot = services.models.find('a')!;
  const gate = Promise.withResolvers<void>();
  loader.gate = gate.promise;
  assert.equal((await complete('a')).json.error.code, 'deadline_exceeded');
  gate.resolve();
  await services.models.load(slot);
  assert.equal((await complete('a')).status, 200);
  const long = { model: 'a', prompt: 'y'.repeat(500) };
  assert.equal((await app.fetch(post('/v1/completions', long))).status, 400);
  const response = await app.fetch(post('/v1/completions', { model: 'a', prompt: 'x', stream: true }));
  await response.body!.cancel();
  assert.deepEqual([slot.leases, slot.waiting], [0, 0]);
});
