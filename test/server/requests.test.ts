import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { scopes, tenantDefaults } from '../../src/tenancy/tenants.ts';
import { at, first } from '../support/entries.ts';
import { frames, post, scripted } from './scripted.ts';

/** Each key is the tenant of that name. */
const authenticate = (authorization: string | undefined) => {
  const id = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
  if (id === undefined) throw new RealmError('invalid_api_key', 'no key');
  return { tenant: { id, ...tenantDefaults }, keyId: undefined, scopes };
};

function server() {
  const gate = Promise.withResolvers<void>();
  const made = scripted({ answer: () => 'hello', pause: () => gate.promise }, { authenticate });
  const call = (method: string, path: string, tenant: string) =>
    made.app.fetch(new Request(`http://localhost${path}`, { method, headers: { authorization: `Bearer ${tenant}` } }));
  const chat = (tenant: string, name: string, fields: object = {}) =>
    made.app.fetch(
      post(
        '/v1/chat/completions',
        { messages: [{ role: 'user', content: 'Hi' }], ...fields },
        { headers: { authorization: `Bearer ${tenant}`, 'x-client-request-id': name } },
      ),
    );
  return { ...made, call, chat, open: () => gate.resolve() };
}

/** Until the model works on so many. */
async function running({ model }: ReturnType<typeof server>, count: number): Promise<void> {
  while (model.running < count) await new Promise(setImmediate);
}

test('a tenant sees its own open requests, and cancels them by its name for them or by ours', async () => {
  const s = server();
  const answers = ['one', 'two', 'three'].map(name => s.chat('acme', name));
  const foreign = s.chat('other', 'one');
  await running(s, 4);
  const { data } = await (await s.call('GET', '/v1/requests', 'acme')).json();
  const names = data.map((each: { client_request_id: string }) => each.client_request_id);
  assert.deepEqual(names, ['one', 'two', 'three']);
  assert.deepEqual([data[0].object, data[0].model, data[0].path], ['request', 'scripted', '/v1/chat/completions']);
  assert.equal((await s.call('DELETE', '/v1/requests/one', 'acme')).status, 200);
  assert.equal((await s.call('DELETE', `/v1/requests/${data[1].id}`, 'acme')).status, 200);
  s.open();
  const ended = await Promise.all(answers);
  for (const cancelled of ended.slice(0, 2)) {
    assert.equal(cancelled.status, 499);
    const { error } = await cancelled.json();
    assert.deepEqual([error.code, error.message], ['request_cancelled', 'The request was cancelled through the API']);
  }
  assert.deepEqual([at(ended, 2).status, (await foreign).status], [200, 200]);
  assert.equal(s.model.running, 0);
});

test("another tenant's request is not to be found, neither is one that has ended or never was", async () => {
  const s = server();
  const answer = s.chat('acme', 'mine');
  await running(s, 1);
  const [{ id }] = (await (await s.call('GET', '/v1/requests', 'acme')).json()).data;
  assert.deepEqual((await (await s.call('GET', '/v1/requests', 'other')).json()).data, []);
  for (const [tenant, name] of [
    ['other', id],
    ['other', 'mine'],
    ['acme', 'never'],
  ]) {
    const response = await s.call('DELETE', `/v1/requests/${name}`, tenant);
    assert.deepEqual([response.status, (await response.json()).error.code], [404, 'request_not_found']);
  }
  s.open();
  assert.equal((await answer).status, 200);
  assert.equal((await s.call('DELETE', '/v1/requests/mine', 'acme')).status, 404);
});

test('a stream that is cancelled through the API says so in its last frame', async () => {
  let step = Promise.withResolvers<void>();
  const s = scripted({ answer: () => 'hello', pause: () => step.promise });
  const body = { messages: [{ role: 'user', content: 'Hi' }], stream: true };
  const headers = { 'x-client-request-id': 'long' };
  const answer = s.app.fetch(post('/v1/chat/completions', body, { headers }));
  step.resolve();
  const response = await answer;
  step = Promise.withResolvers<void>();
  const cancel = new Request('http://localhost/v1/requests/long', { method: 'DELETE' });
  assert.equal((await s.app.fetch(cancel)).status, 200);
  step.resolve();
  assert.equal((await frames(response)).at(-1).error.code, 'request_cancelled');
});

test('a priority reaches the engine; one that is none is refused', async () => {
  const s = scripted({ answer: () => 'x' });
  const ask = (priority: unknown) =>
    s.app.fetch(post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], priority }));
  assert.equal((await ask(7)).status, 200);
  assert.equal(first(s.model.requests).priority, 7);
  for (const bad of ['high', 1.5, 1001, -1001]) {
    const response = await ask(bad);
    assert.deepEqual([response.status, (await response.json()).error.param], [400, 'priority']);
  }
});
