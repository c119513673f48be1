/** Programs of files and uploaded ones in whole servers: the real sandbox, a small model, two servers on one PostgreSQL. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';

const guest = (name: string) => new URL(`../../guest/wasm/${name}.wasm`, import.meta.url);

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-programs-'));
  writeSynthetic(join(folder, 'model.gguf'), {
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 },
  });
});
after(() => rm(folder, { recursive: true }));

const { key, hash } = createKey('acme');
const operator = createKey('operator');

async function start(name: string, server: object, program?: string) {
  const configPath = join(folder, `${name}.yaml`);
  const models = [{ id: 'small', path: 'model.gguf', context: 256 }];
  const tenants = [{ id: 'acme', keys: [hash], program }];
  // JSON is YAML.
  const document = { server: { port: 0, admin_keys: [operator.hash], ...server }, models, tenants };
  await writeFile(configPath, JSON.stringify(document));
  const lines: { level: string; message: string; path?: string; code?: string; tenant?: string }[] = [];
  const logger = createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) });
  return { ...(await startServer({ configPath, threads: 1, logger })), lines };
}

async function said({ url }: RunningServer, program?: string): Promise<string> {
  const answer = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'small', prompt: 'Hello', max_tokens: 12, temperature: 0, program }),
  });
  const body = await answer.json();
  return answer.ok ? body.choices[0].text : body.error.code;
}

async function push({ url }: RunningServer, name: string, program: string): Promise<number> {
  const answer = await fetch(`${url}/admin/v1/programs/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${operator.key}`, 'content-type': 'application/wasm' },
    body: await readFile(guest(program)),
  });
  return (await answer.json()).version;
}

test("a program's file that has another content is read again; a name is a program that may come later", async () => {
  await copyFile(guest('default'), join(folder, 'own.wasm'));
  const server = await start('files', { store: 'memory' }, 'own.wasm');
  try {
    const quiet = await said(server);
    const loud = quiet.toUpperCase();
    assert.notEqual(quiet, loud);
    await copyFile(guest('shout'), join(folder, 'own.wasm'));
    assert.equal(await said(server), quiet);
    await server.reload();
    assert.equal(await said(server), loud);
    assert.deepEqual(
      server.lines.filter(({ message }) => message === 'program read again').map(({ path }) => path),
      [join(folder, 'own.wasm')],
    );
    // A module that is none changes nothing.
    await writeFile(join(folder, 'own.wasm'), 'not a module');
    await server.reload();
    assert.equal(await said(server), loud);

    const config = JSON.parse(await readFile(join(folder, 'files.yaml'), 'utf8'));
    config.tenants[0].program = 'later';
    await writeFile(join(folder, 'files.yaml'), JSON.stringify(config));
    await server.reload();
    assert.equal(await said(server), 'program_not_found');
    assert.ok(server.lines.some(({ code, tenant }) => code === 'program_not_found' && tenant === 'acme'));
    assert.equal(await push(server, 'later', 'shout'), 1);
    assert.equal(await said(server), loud);
    assert.equal(await push(server, 'later', 'default'), 2);
    assert.equal(await said(server), quiet);
  } finally {
    await server.close();
  }
});

test('what one server is given others on the same PostgreSQL answer with, within seconds', {
  skip: noPostgres,
}, async () => {
  const postgres = await startPostgres();
  const [one, two] = await Promise.all(['one', 'two'].map(name => start(name, { store: postgres.url })));
  try {
    const quiet = await said(one!);
    assert.equal(await said(two!, 'loud'), 'program_not_found');
    await push(one!, 'loud', 'shout');
    const began = performance.now();
    while ((await said(two!, 'loud')) !== quiet.toUpperCase()) {
      assert.ok(performance.now() - began < 10_000, 'it did not come');
      await sleep(20);
    }
    await push(two!, 'loud', 'default');
    assert.deepEqual([await said(two!, 'loud'), await said(two!, 'loud@1')], [quiet, quiet.toUpperCase()]);
  } finally {
    await Promise.all([one!.close(), two!.close()]);
    await postgres.close();
  }
});
