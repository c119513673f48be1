/** An operator at work on a server that runs: commands on its store and over HTTP, and changes of its file. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKey } from '../../src/tenancy/keys.ts';
import { realm } from '../cli/realm.ts';
import { modelPath, RealmProcess } from './server-process.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-operator-'));
after(() => rm(folder, { recursive: true, force: true }));
const config = join(folder, 'realm.yaml');
const admin = createKey('operator');

const write = async (limits: string, tenants: string, port = 0) =>
  writeFile(
    config,
    `server: { port: ${port}, admin_keys: ["${admin.hash}"], limits: { ${limits} } }
models: [{ id: small, path: ${await modelPath()}, context: 2048 }]
tenants: ${tenants}
`,
  );

/** What a command prints as JSON. */
async function command(...args: string[]) {
  const result = await realm([...args, '--json'], { env: { REALM_ADMIN_KEY: admin.key } });
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}

async function soon(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await what()) return;
    await sleep(50);
  }
  assert.fail('it did not come');
}

test('tenants and keys come and go while the server runs, and its file is read again', async () => {
  await write('choices: 1', '[{ id: filed }]');
  const server = new RealmProcess(['serve', '--config', config]);
  try {
    const url = (await server.printed(/http:\/\/\S+(?=\/v1)/)).trim();
    const here = ['--config', config];
    const there = ['--url', url];
    const status = async (key: string, n = 1) => {
      const body = JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1, n });
      const headers = { authorization: `Bearer ${key}` };
      const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
      await answer.text();
      return answer.status;
    };

    await command('tenants', 'create', 'acme', '--weight', '2', '--budget', 'tokens:1000:day', ...here);
    const made = await command('keys', 'create', '--tenant', 'acme', '--expires', '30d', ...here);
    await soon(async () => (await status(made.key)) === 200);
    const filed = await command('keys', 'create', '--tenant', 'filed', ...there);
    assert.equal(await status(filed.key), 200);
    for (const place of [here, there]) {
      const sums = await command('usage', '--by', 'tenant,model', ...place);
      assert.deepEqual(
        sums.rows.map(({ tenant, model, requests, output_tokens }: Record<string, unknown>) => {
          return [tenant, model, requests, output_tokens];
        }),
        [
          ['acme', 'small', 1, 1],
          ['filed', 'small', 1, 1],
        ],
      );
      const page = await command('usage', '--calls', '--limit', '1', ...place);
      assert.equal(page.rows[0].tenant, 'filed');
      const { rows } = await command('usage', '--calls', '--after', page.next, ...place);
      assert.deepEqual([rows.length, rows[0].tenant], [1, 'acme']);
      const wrong = await realm(['usage', '--by', 'moon', ...place], { env: { REALM_ADMIN_KEY: admin.key } });
      assert.match(wrong.stderr, /group_by.*must be of tenant, key, model, day/);
    }
    const csv = await realm(['usage', '--csv', ...here]);
    assert.match(csv.stdout, /^tenant,requests,.*\r\nacme,1,/);
    const listed = await command('tenants', 'list', ...there);
    assert.deepEqual(
      listed.map(({ id, source, weight }: Record<string, unknown>) => [id, source, weight]),
      [
        ['filed', 'file', 1],
        ['acme', 'store', 2],
      ],
    );
    await command('keys', 'revoke', made.id, '--tenant', 'acme', ...here);
    await soon(async () => (await status(made.key)) === 401);

    const other = await command('keys', 'create', '--tenant', 'filed', ...there);
    const messages = [{ role: 'user', content: 'Tell a very long story.' }];
    const long = { model: 'small', messages, max_tokens: 1800, logit_bias: { 2: -100, 0: -100 }, stream: true };
    const headers = { authorization: `Bearer ${other.key}` };
    const streamed = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(long) });
    // Another process on the store says so, and the server ends what the key asks for.
    await command('keys', 'revoke', other.id, '--tenant', 'filed', '--cancel', ...here);
    assert.match(await streamed.text(), /"code":"request_cancelled"/);

    assert.equal(await status(filed.key, 2), 400);
    await write('choices: 2', '[{ id: filed, weight: 3 }]', 1);
    server.child.kill('SIGHUP');
    await soon(async () => (await status(filed.key, 2)) === 200);
    await server.printed(/next start[^\n]*server\.port/);
    await write('choices: 0', '[{ id: filed }]');
    await server.printed(/mistake[^\n]*server\.limits\.choices/);
    assert.equal(await status(filed.key, 2), 200);

    assert.deepEqual(
      await command('audit', 'verify', ...there),
      await command('audit', 'verify', '--store', join(folder, 'realm.db')),
    );
    const entries = await command('audit', 'list', ...there);
    assert.deepEqual(
      entries.slice(0, 4).map(({ action }: { action: string }) => action),
      ['tenant.created', 'key.created', 'key.created', 'key.revoked'],
    );
    for (const key of [made.key, filed.key, admin.key]) {
      assert.ok(!server.output.includes(key));
      assert.ok(!JSON.stringify(entries).includes(key));
    }
  } finally {
    await server.stop();
  }
});

test('commands say what is missing', async () => {
  const errors = async (...args: string[]) => (await realm(args)).stderr;
  assert.match(await errors('tenants', 'list'), /usage: .*--config, --store or --url/);
  assert.match(await errors('keys', 'create', '--tenant', 'a', '--name', 'x'), /usage: --name needs a store/);
  assert.match(await errors('tenants', 'list', '--store', 'memory'), /usage: .*--url/);
  assert.match(await errors('tenants', 'list', '--url', 'http://127.0.0.1:1'), /usage: .*cannot be reached/);
  const store = ['--store', join(folder, 'other.db')];
  assert.match(await errors('tenants', 'create', 'a b', ...store), /usage: id: must be/);
  assert.match(await errors('tenants', 'create', 'a', '--budget', 'x', ...store), /usage: --budget/);
  assert.match(await errors('keys', 'list', '--tenant', 'nobody', ...store), /tenant_not_found/);
});
