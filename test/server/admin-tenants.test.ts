/** Tenants, keys and the audit log over HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdapterRegistry } from '../../src/server/adapters.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { administered } from './administration.ts';
import { registryOf, ScriptedModel } from './scripted.ts';

const says = { answer: () => 'hello' };
const chat = { messages: [{ role: 'user', content: 'Hi' }] };
const tenants = '/admin/v1/tenants';

test('a tenant is created, asked for, changed and deleted; mistakes are named', async () => {
  const { ask, close, store } = await administered(says);
  const budgets = [{ unit: 'tokens', limit: 100, period: 'day' }];
  const rate = { requests_per_minute: 3 };
  const program_limits = { fuel: 1000, runs: 2 };
  const made = await ask('POST', tenants, { id: 'acme', weight: 2, max_queued: 5, budgets, rate, program_limits });
  assert.equal(made.status, 200);
  const { id, source, disabled, weight, max_queued } = made.body;
  assert.deepEqual([id, source, disabled, weight, max_queued], ['acme', 'store', false, 2, 5]);
  assert.deepEqual([made.body.budgets, made.body.rate], [budgets, rate]);
  const { fuel, runs, host_calls } = made.body.program_limits;
  assert.deepEqual([fuel, runs, host_calls], [1000, 2, 100_000]);
  assert.deepEqual((await ask('GET', `${tenants}/acme`)).body, made.body);
  assert.deepEqual((await ask('GET', tenants)).body, { data: [made.body] });
  const changed = await ask('PATCH', `${tenants}/acme`, { weight: null, rate: null, disabled: true });
  assert.deepEqual([changed.body.weight, changed.body.rate, changed.body.disabled], [1, null, true]);
  const wrong: [string, string, unknown, number, string, string][] = [
    ['POST', tenants, { id: 'acme' }, 409, 'tenant_exists', 'id'],
    ['POST', tenants, { id: 'a b' }, 400, 'invalid_request', 'id'],
    ['POST', tenants, { id: 'x', program: 'p.wasm' }, 400, 'invalid_request', 'program'],
    ['POST', tenants, { id: 'x', weight: -1 }, 400, 'invalid_request', 'weight'],
    ['POST', tenants, { id: 'x', colour: 1 }, 400, 'invalid_request', 'colour'],
    ['PATCH', `${tenants}/nobody`, {}, 404, 'tenant_not_found', ''],
    ['GET', `${tenants}/%00`, undefined, 404, 'tenant_not_found', ''],
    ['POST', `${tenants}/nobody/keys`, {}, 404, 'tenant_not_found', ''],
    ['POST', `${tenants}/acme/keys`, { scopes: ['all'] }, 400, 'invalid_request', 'scopes[0]'],
    ['POST', `${tenants}/acme/keys`, { addresses: ['10.0.0.0/99'] }, 400, 'invalid_request', 'addresses[0]'],
    ['POST', `${tenants}/acme/keys`, { expires_at: 'soon' }, 400, 'invalid_request', 'expires_at'],
    ['POST', `${tenants}/acme/keys/key_aaaaaaaaaaaa/rotate`, {}, 404, 'key_not_found', ''],
    ['DELETE', `${tenants}/acme?cancel=maybe`, undefined, 400, 'invalid_request', 'cancel'],
    ['GET', '/admin/v1/audit?limit=0', undefined, 400, 'invalid_request', 'limit'],
  ];
  for (const [method, path, body, status, code, param] of wrong) {
    const answer = await ask(method, path, body);
    const { error } = answer.body;
    assert.deepEqual([answer.status, error.code, error.param ?? ''], [status, code, param], `${method} ${path}`);
  }
  assert.deepEqual((await ask('DELETE', `${tenants}/acme`)).body, { id: 'acme', deleted: true });
  assert.deepEqual((await ask('GET', tenants)).body, { data: [] });
  const { data } = (await ask('GET', '/admin/v1/audit?limit=2')).body;
  assert.deepEqual(
    data.map(({ seq, action, target }: Record<string, unknown>) => [seq, action, target]),
    [
      [1, 'tenant.created', 'acme'],
      [2, 'tenant.updated', 'acme'],
    ],
  );
  assert.match(data[0].actor, /^key_/);
  await close();
  await store.close().catch(() => {});
});

test('a key is shown once, works at once, is logged by its public id, and is rotated and revoked', async () => {
  const { ask, close, lines, cancelled } = await administered(says);
  await ask('POST', tenants, { id: 'acme' });
  const { key, ...known } = (await ask('POST', `${tenants}/acme/keys`, { name: 'ci' })).body;
  assert.match(key, /^realm_/);
  assert.match(known.id, /^key_[a-z2-7]{12}$/);
  assert.deepEqual(known.scopes, ['inference']);
  assert.equal((await ask('POST', '/v1/chat/completions', chat, key)).status, 200);
  assert.deepEqual([lines.at(-1)?.tenant, lines.at(-1)?.key_id], ['acme', known.id]);
  const listed = (await ask('GET', `${tenants}/acme/keys`)).body.data;
  assert.ok(listed[0].last_used_at);
  assert.deepEqual(listed, [{ ...known, last_used_at: listed[0].last_used_at }]);
  const rotated = (await ask('POST', `${tenants}/acme/keys/${known.id}/rotate`, { overlap_seconds: 60 })).body;
  assert.equal(rotated.name, 'ci');
  for (const each of [key, rotated.key]) assert.equal((await ask('GET', '/v1/models', undefined, each)).status, 200);
  const revoked = await ask('DELETE', `${tenants}/acme/keys/${known.id}?cancel=true`);
  assert.ok(revoked.body.revoked_at);
  assert.deepEqual(cancelled, [known.id]);
  assert.equal((await ask('GET', '/v1/models', undefined, key)).status, 401);
  await close();
});

test('scopes: who may look, ask and change', async () => {
  const { ask, close } = await administered(says);
  await ask('POST', tenants, { id: 'acme' });
  const keyWith = async (...scopes: string[]) => (await ask('POST', `${tenants}/acme/keys`, { scopes })).body.key;
  const [adminKey, reader, asker] = [await keyWith('admin'), await keyWith('read'), await keyWith('inference')];
  const statuses = async (key: string) => [
    (await ask('GET', tenants, undefined, key)).status,
    (await ask('PATCH', `${tenants}/acme`, {}, key)).status,
    (await ask('GET', '/v1/models', undefined, key)).status,
    (await ask('POST', '/v1/chat/completions', chat, key)).status,
  ];
  assert.deepEqual(await statuses(adminKey), [200, 200, 200, 403]);
  assert.deepEqual(await statuses(reader), [200, 403, 200, 403]);
  assert.deepEqual(await statuses(asker), [401, 401, 200, 200]);
  await close();
});

test('models and adapters that a key may not use are not there for it', async () => {
  const models = registryOf(['small', 'large'].map(id => new ScriptedModel(id, says)));
  const adapters = new AdapterRegistry(models);
  const server = await administered(says, {}, { models, adapters, anyModelName: false });
  const { ask, close } = server;
  for (const [model, id] of [
    ['large', 'legal'],
    ['small', 'chatty'],
  ] as const) {
    const slot = models.find(model)!;
    await adapters.load(slot.modelId, slot.model!, { id, path: `${id}.gguf` });
  }
  await ask('POST', tenants, { id: 'acme' });
  const keyWith = async (body: object) => (await ask('POST', `${tenants}/acme/keys`, body)).body.key;
  const namesFor = async (key: string) => {
    const { data } = (await ask('GET', '/v1/models', undefined, key)).body;
    const listed = data.map(({ id }: { id: string }) => id);
    const tags = (await ask('GET', '/api/tags', undefined, key)).body.models;
    assert.deepEqual(
      tags.map(({ name }: { name: string }) => name),
      listed,
    );
    for (const model of ['small', 'large', 'legal', 'chatty', 'nothing']) {
      const answer = await ask('POST', '/v1/chat/completions', { ...chat, model }, key);
      assert.equal(answer.status, listed.includes(model) ? 200 : 404, model);
      assert.equal((await ask('GET', `/v1/models/${model}`, undefined, key)).status, answer.status);
      if (answer.status === 404 && !listed.includes('large'))
        assert.doesNotMatch(answer.body.error.message, /: .*large,/);
    }
    return listed;
  };
  assert.deepEqual(await namesFor(await keyWith({})), ['small', 'large', 'legal', 'chatty']);
  assert.deepEqual(await namesFor(await keyWith({ models: ['small'] })), ['small', 'chatty']);
  assert.deepEqual(await namesFor(await keyWith({ models: ['small'], adapters: ['legal'] })), ['small', 'legal']);
  assert.deepEqual(await namesFor(await keyWith({ adapters: [] })), ['small', 'large']);
  await close();
});

test('no key in a log, an error, a metric or the audit log, wherever it was put', async () => {
  const file = createKey('filed');
  const server = await administered(says, { tenants: [{ id: 'filed', keys: [file.hash], ...tenantDefaults }] });
  const { ask, app, lines, services, administration, close } = server;
  await ask('POST', tenants, { id: 'acme' });
  const { key } = (await ask('POST', `${tenants}/acme/keys`, {})).body;
  const unknown = createKey('nobody').key;
  const canaries = [file.key, key, unknown, 'sk-abcdefghijklmnopqrstuvwxyz0123456789'];
  const answers: string[] = [];
  const said = async (...request: Parameters<typeof ask>) => {
    answers.push((await ask(...request).catch(error => ({ text: String(error) }))).text);
  };
  for (const canary of canaries) {
    for (const auth of [canary, key]) {
      await said('POST', '/v1/chat/completions', { ...chat, model: canary }, auth);
      await said('POST', '/v1/chat/completions', { ...chat, [canary]: 1, temperature: canary }, auth);
      await said('GET', `/v1/models/${canary}`, undefined, auth);
      await said('GET', `/${canary}/x?api_key=${canary}`, undefined, auth);
      await said('DELETE', `/v1/requests/${canary}`, undefined, auth);
      await said('GET', '/v1/models', undefined, auth, { 'x-api-key': canary, 'x-client-request-id': canary });
    }
    await said('POST', tenants, { id: canary, [canary]: 1 });
    await said('PATCH', `${tenants}/${canary}`, {});
    await said('POST', `${tenants}/acme/keys`, { name: canary });
    await said('DELETE', `${tenants}/acme/keys/${canary}`);
    await said('POST', '/v1/unload_lora_adapter', { lora_name: canary });
    await said('GET', `/admin/v1/audit?after=${canary}`);
    const raw = await app.fetch(new Request('http://localhost/v1/models', { headers: { 'x-api-key': canary } }));
    answers.push(await raw.text());
  }
  const metrics = await services.metrics.page({ models: [], programs: services.sandbox.stats(), openRequests: 0 });
  const audit = JSON.stringify(await administration.operator('x').audit(0, 1000));
  const errors = answers.filter(text => text.includes('"error"'));
  assert.ok(errors.length > 20 && lines.length > 20);
  for (const canary of canaries)
    for (const [where, text] of Object.entries({
      errors: errors.join('\n'),
      lines: JSON.stringify(lines),
      metrics,
      audit,
    }))
      assert.ok(!text.includes(canary), `${where}: ${canary}`);
  await close();
});
