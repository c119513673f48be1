import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { loadConfig, type RealmConfig } from '../tenancy/config.ts';
import { createKey } from '../tenancy/keys.ts';
import { ConfigReload, type Live, type ReloadParts } from './reload.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-reload-'));
after(() => rm(folder, { recursive: true }));
const path = join(folder, 'realm.yaml');
const { hash } = createKey('acme');
const file = (server: string, tenants = `[{ id: acme, keys: ["${hash}"] }]`, rest = '') =>
  `server: { ${server} }\ntenants: ${tenants}\n${rest}`;

async function running(text: string, overrides: Partial<ReloadParts> = {}) {
  await writeFile(path, text);
  const config = await loadConfig(path);
  const live: Live = { config };
  const lines: Record<string, unknown>[] = [];
  const applied: RealmConfig[] = [];
  const logger = createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) });
  const notes: object[] = [];
  const reload = new ConfigReload(path, live, logger, {
    prepare: async () => {},
    apply: next => {
      applied.push(next);
      return [];
    },
    note: async detail => void notes.push(detail),
    ...overrides,
  });
  const change = async (next: string) => {
    await writeFile(path, next);
    await reload.run();
  };
  return { live, lines, applied, notes, reload, change, config };
}

test('what can change does, what cannot is named, and both are logged and noted', async () => {
  const { live, lines, applied, notes, reload, change } = await running(file('port: 1, limits: { choices: 2 }'));
  await change(
    file("port: 2, store: memory, limits: { choices: 3 }, origins: ['https://a.example']", '[{ id: beta }]'),
  );
  reload.close();
  assert.equal(live.config.limits.choices, 3);
  assert.deepEqual(live.config.http.origins, ['https://a.example']);
  assert.equal(live.config.port, 1);
  assert.deepEqual(
    applied[0]?.tenants?.map(({ id }) => id),
    ['beta'],
  );
  const restart = lines.filter(({ message }) => String(message).includes('next start')).map(line => line.path);
  assert.deepEqual(restart, ['server.port', 'server.store']);
  const changed = ['server.limits', 'server.origins', 'tenants[acme]', 'tenants[beta]'];
  assert.equal(lines.at(-1)?.changed, changed.join(', '));
  assert.deepEqual(notes, [{ changed, restart }]);
});

test('with a mistake nothing changes, and each mistake is logged with its path', async () => {
  const { live, lines, applied, notes, reload, change, config } = await running(file('port: 1'));
  await change(file('port: 1, limits: { choices: 0 }, colour: red', '[{ id: acme, weight: -1 }]'));
  assert.deepEqual(
    lines
      .filter(({ path }) => path !== undefined)
      .map(line => line.path)
      .sort(),
    ['server.colour', 'server.limits.choices', 'tenants[0].weight'],
  );
  await change('server: {');
  await rm(path);
  await reload.run();
  reload.close();
  assert.equal(live.config, config);
  assert.deepEqual([applied, notes], [[], []]);
  assert.equal(lines.filter(({ message }) => String(message).includes('not taken over')).length, 3);
});

test('a program that cannot be loaded is a mistake too', async () => {
  const prepare = async () => {
    throw new RealmError('program_invalid', 'tenants[0].program: no', { param: 'tenants[0].program' });
  };
  const broken = await running(file('port: 1'), { prepare });
  await broken.change(file('port: 1, limits: { choices: 3 }'));
  broken.reload.close();
  assert.equal(broken.live.config, broken.config);
  assert.equal(broken.lines[0]?.path, 'tenants[0].program');
});

test('a file that is changed or replaced is read by itself', async () => {
  const { live, reload } = await running(file('port: 1'));
  const comes = async (choices: number) => {
    for (let i = 0; i < 500 && live.config.limits.choices !== choices; i++) await sleep(20);
    assert.equal(live.config.limits.choices, choices);
  };
  await writeFile(path, file('port: 1, limits: { choices: 4 }'));
  await comes(4);
  await writeFile(`${path}.new`, file('port: 1, limits: { choices: 5 }'));
  await rename(`${path}.new`, path);
  await comes(5);
  reload.close();
});
