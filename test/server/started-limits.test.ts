/** Limits of `realm.yaml` in whole servers: the real sandbox, a small model, Redis. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { noRedis, startRedis } from '../support/redis.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-limits-'));
  writeSynthetic(join(folder, 'model.gguf'), {
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 },
  });
});
after(() => rm(folder, { recursive: true }));

const { key, hash } = createKey('acme');

async function start(name: string, server: object, rate: object, budgets: object[] = []): Promise<RunningServer> {
  const configPath = join(folder, `${name}.yaml`);
  const models = [{ id: 'small', path: 'model.gguf', context: 256 }];
  const tenants = [{ id: 'acme', keys: [hash], rate, budgets }];
  // JSON is YAML.
  await writeFile(configPath, JSON.stringify({ server: { port: 0, ...server }, models, tenants }));
  return startServer({ configPath, threads: 1 });
}

const ask = ({ url }: RunningServer, body: object = {}, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'small', prompt: 'Hello', max_tokens: 4, temperature: 0, ...body }),
  });

test('a server holds a tenant to its rates, through its program too, and keeps answers', async () => {
  const server = await start('one', {}, { requests_per_minute: 5, tokens_per_minute: 100, concurrent: 4 });
  try {
    const first = await ask(server, {}, { 'idempotency-key': 'a' });
    assert.equal(first.status, 200);
    assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '4');
    const again = await ask(server, {}, { 'idempotency-key': 'a' });
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal(await again.text(), await first.text());
    const tokens = await ask(server, { max_tokens: 200 });
    assert.equal(tokens.status, 429);
    assert.equal(tokens.headers.get('x-ratelimit-limit-tokens'), '100');
    assert.equal(tokens.headers.get('x-should-retry'), 'false');
    const openEnded = await ask(server, { max_tokens: undefined });
    assert.ok((await openEnded.json()).usage.completion_tokens <= 25);
    assert.equal((await ask(server)).status, 200);
    const refused = await ask(server);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('x-ratelimit-limit-requests'), '5');
    assert.match(refused.headers.get('retry-after')!, /^\d+$/);
  } finally {
    await server.close();
  }
});

test('a server that cannot start gives its store back', async () => {
  const first = await start('first', { store: 'first.db' }, {});
  const store = 'second.db';
  const taken = start('second', { store, port: Number(new URL(first.url).port) }, {});
  await assert.rejects(taken, { code: 'port_in_use' });
  await (await start('second', { store }, {})).close();
  await first.close();
});

test('webhooks are told of a budget at 80 % and when it is spent, and then it is', async () => {
  const told: { type: string; data: { percent: number; tenant: string } }[] = [];
  const hook = createServer(async (request, response) => {
    told.push(JSON.parse(await text(request)));
    response.end();
  });
  await new Promise<void>(resolve => hook.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  const webhooks = [{ url, secret: 'a secret of the test' }];
  const server = await start('budget', { webhooks, store: 'memory' }, {}, [
    { unit: 'requests', limit: 5, period: 'day' },
  ]);
  try {
    for (let i = 0; i < 5; i++) assert.equal((await ask(server)).status, 200);
    const spent = await ask(server);
    assert.equal(spent.status, 429);
    assert.equal((await spent.json()).error.code, 'insufficient_quota');
    for (let i = 0; i < 100 && told.length < 2; i++) await sleep(100);
    assert.deepEqual(told.map(({ data }) => [data.tenant, data.percent]).sort(), [
      ['acme', 100],
      ['acme', 80],
    ]);
  } finally {
    await server.close();
    hook.close();
  }
});

test('a key has rates of its own; sent again, a request to make one makes no second', async () => {
  const [admin, other] = [createKey('admin'), createKey('admin')];
  const server = await start('keys', { admin_keys: [admin.hash, other.hash] }, { requests_per_minute: 100 });
  const make = (operator: string, body: object) =>
    fetch(`${server.url}/admin/v1/tenants/acme/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json', 'idempotency-key': 'once' },
      body: JSON.stringify(body),
    });
  try {
    const body = { name: 'slow', rate: { requests_per_minute: 1 } };
    const made = await make(admin.key, body);
    const first = await made.json();
    assert.match(first.key, /^realm_/, JSON.stringify(first));
    assert.deepEqual(await (await make(admin.key, body)).json(), first);
    assert.equal((await make(admin.key, { name: 'other' })).status, 409);
    const others = await (await make(other.key, body)).json();
    assert.notEqual(others.key, first.key, 'nobody else reads the key');
    const authorization = { authorization: `Bearer ${first.key}` };
    const answer = await ask(server, {}, authorization);
    assert.deepEqual([answer.status, answer.headers.get('x-ratelimit-limit-requests')], [200, '1']);
    const refused = await ask(server, {}, authorization);
    assert.equal(refused.status, 429);
    assert.match((await refused.json()).error.message, /^The key's limit of 1 requests a minute/);
    assert.equal((await ask(server)).status, 200, 'the tenant has more');
  } finally {
    await server.close();
  }
});

test('servers with the same Redis share a tenant’s rates', { skip: noRedis }, async () => {
  const redis = await startRedis();
  const servers = await Promise.all(
    ['a', 'b'].map(name =>
      start(name, { redis: redis.url, store: 'memory', metrics: 'public' }, { requests_per_minute: 4 }),
    ),
  );
  try {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await ask(servers[i % 2]!)).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 429, 429]);
    const metrics = async () => (await fetch(`${servers[0]!.url}/metrics`)).text();
    assert.match(await metrics(), /realm_rates_shared 1/);
    assert.match(await metrics(), /realm_rate_limited_total\{limit="requests_per_minute"\} 1/);
    await redis.kill();
    assert.equal((await ask(servers[0]!)).status, 429);
    assert.match(await metrics(), /realm_rates_shared 0/);
  } finally {
    await Promise.all(servers.map(server => server.close()));
    await redis.close();
  }
});
