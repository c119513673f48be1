/** What /metrics says, to whom, and how little of it clients can make. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { adminAuthorization, keyAuthentication } from '../support/authentication.ts';
import { post, scripted } from './scripted.ts';

const [ofTenant, ofAdmin] = [createKey('acme'), createKey('admin')];
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

function server(metricsFor: 'local' | 'public') {
  return scripted(
    { answer: () => 'ok' },
    {
      anyModelName: false,
      localOnly: false,
      metricsFor,
      authenticate: keyAuthentication([{ id: 'acme', keys: [ofTenant.hash], ...tenantDefaults }]),
      authorizeAdmin: adminAuthorization([ofAdmin.hash], false),
    },
  );
}

const chat = { model: 'scripted', messages: [{ role: 'user', content: 'Hi' }] };
const metricsAs = (app: ReturnType<typeof server>['app'], key?: string) =>
  app.fetch(new Request('http://localhost/metrics', key === undefined ? {} : bearer(key)));

test('figures of tenants are on the page of the operator, and on no other', async () => {
  const { app } = server('public');
  assert.equal((await app.fetch(post('/v1/chat/completions', chat, bearer(ofTenant.key)))).status, 200);
  assert.match(await (await metricsAs(app, ofAdmin.key)).text(), /realm_tenant_requests_total\{tenant="acme"\} 1/);
  for (const key of [undefined, ofTenant.key]) {
    const page = await (await metricsAs(app, key)).text();
    assert.match(page, /realm_requests_total\{route="\/v1\/chat\/completions"/);
    assert.doesNotMatch(page, /acme|realm_tenant/);
  }
  assert.equal((await metricsAs(server('local').app, ofTenant.key)).status, 401);
});

test('junk names of models, keys and paths make no time series', async () => {
  const { app } = server('public');
  for (let i = 0; i < 1000; i++) {
    await app.fetch(post('/v1/chat/completions', { ...chat, model: `junk-${i}` }, bearer(ofTenant.key)));
    await app.fetch(post('/v1/chat/completions', chat, bearer(`junk-${i}`)));
    await app.fetch(post(`/junk/${i}`, chat));
  }
  const page = await (await metricsAs(app, ofAdmin.key)).text();
  assert.doesNotMatch(page, /junk/);
  const series = page.split('\n').filter(line => /^[a-z]/.test(line)).length;
  assert.ok(series <= 500, `${series} time series`);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20 && best > 20; i++) {
    const started = performance.now();
    await (await metricsAs(app, ofAdmin.key)).text();
    best = Math.min(best, performance.now() - started);
  }
  assert.ok(best <= 20, `the page takes ${best} ms`);
});
