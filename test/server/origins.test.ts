/** Web pages: which of them may ask, and what their browsers must hear. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Services } from '../../src/server/services.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { post, scripted } from './scripted.ts';

const chat = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'Hi' }];
const { key, hash } = createKey('acme');
const authenticate = keyAuthentication([{ id: 'acme', keys: [hash], ...tenantDefaults }]);

function serve(origins: string[], overrides: Partial<Services> = {}) {
  const { app } = scripted({ answer: () => 'x' }, { http: { ...defaultConfig().http, origins }, ...overrides });
  const preflight = (origin: string) =>
    app.fetch(
      new Request(`http://localhost${chat}`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type,x-stainless-os',
        },
      }),
    );
  const ask = (origin: string, body: object = { messages }, headers = {}) =>
    app.fetch(post(chat, body, { headers: { origin, authorization: `Bearer ${key}`, ...headers } }));
  return { app, preflight, ask };
}

const allowedTo = (response: Response) => response.headers.get('access-control-allow-origin');

test('with keys, a named page may ask with a key, and reads answers, streams and refusals', async () => {
  const origin = 'https://app.example';
  const { preflight, ask } = serve([origin], { localOnly: false, authenticate });
  const before = await preflight(origin);
  assert.equal(before.status, 204);
  assert.equal(allowedTo(before), origin);
  assert.match(before.headers.get('access-control-allow-headers')!, /authorization/);
  assert.match(before.headers.get('access-control-allow-methods')!, /POST/);
  assert.match(before.headers.get('vary')!, /origin/i);
  const answers = [
    await ask(origin),
    await ask(origin, { messages, stream: true }),
    await ask(origin, {}),
    await ask(origin, { messages }, { authorization: 'Bearer wrong' }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 400, 401],
  );
  for (const answer of answers) {
    assert.equal(allowedTo(answer), origin);
    assert.match(answer.headers.get('access-control-expose-headers')!, /x-request-id.*retry-after/);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    assert.match(answer.headers.get('vary')!, /origin/i);
    assert.match(answer.headers.get('content-type')!, /json|event-stream/);
    await answer.text();
  }
});

test('origins are compared whole: scheme, host and port', async () => {
  const { preflight, ask } = serve(['https://app.example', 'http://localhost:3000'], {
    localOnly: false,
    authenticate,
  });
  for (const origin of [
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'https://evil.example',
    'http://localhost:3001',
    'null',
  ]) {
    assert.equal(allowedTo(await preflight(origin)), null, origin);
    assert.equal(allowedTo(await ask(origin)), null, origin);
  }
  assert.equal(allowedTo(await ask('http://localhost:3000')), 'http://localhost:3000');
});

test('without keys, pages and app shells are answered where they are named, and only there', async () => {
  const named = ['http://localhost:3000', 'https://app.example', 'app://obsidian.md', 'vscode-webview://*'];
  const { preflight, ask } = serve(named);
  for (const origin of [...named.slice(0, 3), 'vscode-webview://1a2b3c']) {
    assert.equal(allowedTo(await preflight(origin)), origin);
    assert.equal((await ask(origin)).status, 200, origin);
  }
  for (const origin of ['https://evil.example', 'app://else', 'tauri://x', 'null']) {
    assert.equal(allowedTo(await preflight(origin)), null, origin);
    const refused = await ask(origin);
    assert.equal(refused.status, 403, origin);
    assert.equal(allowedTo(refused), null);
  }
  const silent = serve([]);
  for (const origin of named) assert.equal(allowedTo(await silent.ask(origin)), null);
  assert.equal((await silent.ask('https://app.example')).status, 403);
  assert.equal((await silent.preflight('https://app.example')).status, 405);
});

test('every page is a star; a name of this machine that a page made up is still none', async () => {
  const { app, preflight, ask } = serve(['*']);
  assert.equal(allowedTo(await preflight('https://any.example')), '*');
  assert.equal((await ask('https://any.example')).status, 200);
  const rebound = post(chat, { messages }, { headers: { origin: 'https://any.example' } });
  const asked = new Request('http://any.example/v1/models', { headers: rebound.headers });
  assert.equal((await app.fetch(asked)).status, 403);
});
