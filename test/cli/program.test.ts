/** `realm program`: modules are checked, uploaded, listed and rolled back, on a store and by asking a server. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { listen } from '../../src/server/node.ts';
import { admin, administered } from '../server/administration.ts';
import { realm } from './realm.ts';

const shout = fileURLToPath(new URL('../../guest/wasm/shout.wasm', import.meta.url));

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-cli-program-'));
  await writeFile(join(folder, 'bad.wasm'), 'not a module');
});
after(() => rm(folder, { recursive: true, force: true }));

const run = (args: string[], env: NodeJS.ProcessEnv = {}) => realm(['program', ...args], { cwd: folder, env });

test('check says what a program is, and what it would be refused for', async () => {
  const good = await run(['check', shout]);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^shout\.wasm would be let in\.\n/);
  assert.match(good.stdout, /ABI +version 1\n/);
  assert.match(good.stdout, /cost of compiling +\d+ of 2500000/);
  assert.match(good.stdout, /env\.realm_host_generate/);
  const json = JSON.parse((await run(['check', shout, '--json'])).stdout);
  assert.deepEqual([json.abi, json.refused, json.memory], [1, null, 65536]);
  assert.ok(json.exports.includes('generate') && json.compileCost.total > 0);

  const bad = await run(['check', 'bad.wasm']);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^refused: program_invalid: Program bad\.wasm cannot be used: it is no WebAssembly module/);
  const none = await run(['check', 'none.wasm']);
  assert.match(none.stderr, /^realm: usage: none\.wasm cannot be read: ENOENT/);
});

/** The same on both. */
async function works(place: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  const ask = (...args: string[]) => run([...args, ...place], env);
  const first = await ask('push', shout, '--name', 'loud', '--note', 'for ever');
  assert.deepEqual([first.code, first.stdout], [0, 'loud@1 answers now.\n'], first.stderr);
  assert.equal((await ask('push', shout, '--name', 'loud')).stdout, 'loud@2 answers now.\n');
  assert.match((await ask('list')).stdout, /^NAME +VERSION +BYTES.*\nloud +2 +\d+ /);
  assert.equal((await ask('rollback', 'loud', '1')).stdout, 'loud@1 answers now.\n');
  const found = JSON.parse((await ask('list', 'loud', '--json')).stdout);
  assert.deepEqual([found.version, found.note, found.versions.length], [1, 'for ever', 2]);
  assert.match((await ask('list', 'loud')).stdout, /\n\* +1 .*for ever\n +2 /);
  assert.equal((await ask('delete', 'loud', '2')).stdout, 'loud@2 is deleted.\n');
  for (const [args, code] of [
    [['push', 'bad.wasm', '--name', 'loud'], 'program_invalid'],
    [['push', shout, '--name', 'a b'], 'usage'],
    [['push', shout, '--name', 'default'], 'program_exists'],
    [['push', shout, '--name', 'x', '--tenant', 'nobody'], 'tenant_not_found'],
    [['rollback', 'loud', '2'], 'program_not_found'],
    [['delete', 'loud', '1'], 'invalid_request'],
    [['list', 'none'], 'program_not_found'],
  ] as const) {
    const { code: exit, stderr } = await ask(...args);
    assert.equal(exit, 1, args.join(' '));
    assert.match(stderr, new RegExp(`^realm: ${code}: `), args.join(' '));
  }
  assert.equal((await ask('delete', 'loud')).stdout, 'loud is deleted.\n');
  assert.equal((await ask('list', '--json')).stdout, '[]\n');
}

test('programs of a store', () => works(['--store', 'realm.db']));

test('programs of a server', async () => {
  const sandbox = createSandbox();
  const { app, services, close } = await administered({ answer: () => '' }, {}, { sandbox });
  const options = { keepAliveMs: 1000, logger: services.logger, messageBytes: 1000, sockets: services.limits };
  const listener = await listen(app, '127.0.0.1', 0, options);
  try {
    await works(['--url', `http://127.0.0.1:${listener.port}`], { REALM_ADMIN_KEY: admin.key });
  } finally {
    listener.destroy();
    await close();
    await sandbox.close();
  }
});
