/** What the operator sees and does while the server runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { adminAuthorization, keyAuthentication } from '../support/authentication.ts';
import { post, type Script, scripted } from './scripted.ts';

const ofAdmin = createKey('admin');
const tenants = ['acme', 'other'].map(id => ({ id, key: createKey(id) }));
const keyOf = (id: string) => tenants.find(each => each.id === id)!.key.key;
const as = (key: string, init: RequestInit = {}) => ({ ...init, headers: { authorization: `Bearer ${key}` } });

function server(script: Script, debug = false) {
  const configured = tenants.map(({ id, key }) => ({
    id,
    keys: [key.hash],
    ...tenantDefaults,
    debug: debug && id === 'acme',
  }));
  const made = scripted(script, {
    localOnly: false,
    authenticate: keyAuthentication(configured),
    authorizeAdmin: adminAuthorization([ofAdmin.hash], false),
  });
  const admin = async (method: string, path: string, body?: object) => {
    const init = as(ofAdmin.key, { method, ...(body && { body: JSON.stringify(body) }) });
    const response = await made.app.fetch(new Request(`http://localhost/admin/v1${path}`, init));
    return { status: response.status, body: await response.json() };
  };
  const chat = (tenant: string, text = 'Hi', more: object = {}) =>
    made.app.fetch(
      post('/v1/chat/completions', { messages: [{ role: 'user', content: text }], ...more }, as(keyOf(tenant))),
    );
  return { ...made, admin, chat };
}

/** Asks until there is an answer. */
async function until<T>(ask: () => Promise<T | false | undefined>): Promise<T> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(20)) {
    const answer = await ask();
    if (answer) return answer;
  }
  assert.fail('it never came');
}

const endless: Script = { answer: () => 'x'.repeat(150), pause: () => sleep(15) };

test('all open requests, with whose they are; one is ended and its client told so', async () => {
  const { admin, chat } = server(endless);
  const answers = [chat('acme'), chat('other')];
  const data = await until(async () => {
    const { data: found } = (await admin('GET', '/requests')).body;
    return found.filter(({ state }: { state: string }) => state === 'running').length === 2 && found;
  });
  assert.deepEqual(
    data.map((each: { tenant: string; state: string }) => [each.tenant, each.state]),
    [
      ['acme', 'running'],
      ['other', 'running'],
    ],
  );
  assert.match(data[0].created_at, /^\d{4}-.*Z$/);
  assert.ok(data[0].completion_tokens > 0);
  const ended = await admin('DELETE', `/requests/${data[1].id}`);
  assert.deepEqual([ended.status, ended.body.cancelled], [200, true]);
  const [kept, cancelled] = await Promise.all(answers);
  assert.equal(kept?.status, 200);
  assert.equal((await cancelled!.json()).error.code, 'request_cancelled');
  assert.equal((await admin('DELETE', `/requests/${data[1].id}`)).status, 404);
});

test('live figures name tenants and models', async () => {
  const { admin, chat } = server({ answer: () => 'abc' });
  assert.deepEqual((await admin('GET', '/live')).body.tenants, []);
  await (await chat('acme')).text();
  // A second has to pass.
  const { tenants: found, models } = await until(async () => {
    const { body } = await admin('GET', '/live');
    return body.tenants[0]?.share === 1 && body;
  });
  const [acme] = found;
  assert.equal(found.length, 1);
  assert.deepEqual([acme.id, acme.running, acme.waiting, acme.share, acme.tokens_per_second], ['acme', 0, 0, 1, 0.3]);
  assert.ok(acme.first_token_ms.p50 > 0 && acme.first_token_ms.p95 >= acme.first_token_ms.p50);
  assert.ok(acme.cached_share > 0);
  assert.deepEqual(acme.budgets, []);
  assert.deepEqual([models[0].id, models[0].state, models[0].kv_pages], ['scripted', 'ready', 10]);
});

test('tenants may do none of it', async () => {
  const { app } = server(endless);
  for (const path of ['live', 'requests', 'logs'])
    assert.equal((await app.fetch(new Request(`http://localhost/admin/v1/${path}`, as(keyOf('acme'))))).status, 401);
});

test('the level and the sample of the log change while the server runs', async () => {
  const { admin, chat, lines } = server({ answer: () => 'ok' });
  assert.deepEqual((await admin('GET', '/logs')).body, { level: 'info', sample: 1 });
  assert.deepEqual((await admin('PUT', '/logs', { sample: 0 })).body, { level: 'info', sample: 0 });
  const before = lines.length;
  await (await chat('acme')).text();
  assert.equal(lines.length, before);
  await (await chat('acme', 'Hi', { temperature: -1 })).text();
  assert.equal(lines.at(-1)?.code, 'invalid_request');
  const { status, body } = await admin('PUT', '/logs', { level: 'loud', lines: 3 });
  assert.equal(status, 400);
  assert.match(body.error.message, /level.*lines/s);
  assert.deepEqual((await admin('PUT', '/logs', { level: 'error' })).body, { level: 'error', sample: 0 });
});

test('prompts and answers are logged of a tenant with debug alone, at level debug alone', async () => {
  const { admin, chat, lines } = server({ answer: () => 'the answer' }, true);
  const texts = () =>
    lines.filter(({ level }) => level === 'debug').map(({ tenant, message, text }) => [tenant, message, text]);
  await (await chat('acme', 'quiet')).text();
  await admin('PUT', '/logs', { level: 'debug' });
  await (await chat('other', 'not this')).text();
  assert.deepEqual(texts(), []);
  await (await chat('acme', 'the question')).text();
  const [prompt, answer] = texts();
  assert.match(String(prompt), /^acme,prompt,.*the question/);
  assert.deepEqual(answer, ['acme', 'answer', 'the answer']);
  assert.equal(texts().length, 2);
});
