/** A server that has answered twice as much has not grown: resident memory under each load, but for the cache that it may fill. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drive, loads } from '../../scripts/bench/soak/loads.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { folder, metric, modelPath, type RunningServer, serve, until } from './server-process.ts';

const keys = Array.from({ length: 3 }, (_, i) => createKey(`t${i}`));
let files: Awaited<ReturnType<typeof folder>>;
let server: RunningServer;

before(async () => {
  const tenants = keys.map(({ hash }, i) => `  - { id: t${i}, keys: ["${hash}"] }`).join('\n');
  files = await folder({
    'realm.yaml': `server: { metrics: public }\nmodels:\n  - { id: m, path: ${JSON.stringify(await modelPath())}, context: 1024 }\ntenants:\n${tenants}\n`,
  });
  server = await serve('--config', `${files.path}/realm.yaml`);
});
after(async () => {
  await server?.process.stop();
  await files?.remove();
});

/** Megabytes at rest, without the cache's. */
async function resident(): Promise<number> {
  await until('nothing is open', async () => (await metric(server.url, 'realm_requests_open')) === 0 || undefined);
  await sleep(200);
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const kind = (name: string) => Number(page.match(new RegExp(`^realm_memory_bytes{kind="${name}"} (.*)$`, 'm'))![1]);
  return (kind('resident') - kind('kv_cache')) / 1e6;
}

/** Requests of a load; how many are under way at once. What leaks a body of a megabyte a time is found by few. */
const counts: Record<string, readonly [number, number]> = {
  refused: [1000, 16],
  large: [40, 8],
  aborts: [200, 16],
  chats: [60, 8],
};

test('every load is counted', () => assert.deepEqual(Object.keys(counts).sort(), Object.keys(loads).sort()));

for (const [name, [count, width]] of Object.entries(counts)) {
  test(`memory does not grow under "${name}"`, async () => {
    const load = loads[name] ?? assert.fail(`there is no load ${name}`);
    const target = { url: server.url, keys: keys.map(({ key }) => key) };
    const round = async (index: number) => {
      await drive(load, target, index * count, (index + 1) * count, width);
      return resident();
    };
    // The first rounds fill caches and compile; afterwards collections come and go by some megabytes.
    await round(0);
    const warm = await round(1);
    const later = [await round(2), await round(3)];
    const growth = Math.min(...later) - warm;
    assert.ok(growth < 25, `${warm} MB after ${2 * count} requests, ${later} after three and four times ${count}`);
  });
}

test('what the server says of its memory adds up', async () => {
  const kinds = ['weights', 'kv_cache', 'work', 'heap', 'external', 'code', 'other'];
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const kind = (name: string) => Number(page.match(new RegExp(`^realm_memory_bytes{kind="${name}"} (.*)$`, 'm'))![1]);
  const total = kinds.reduce((sum, name) => sum + kind(name), 0);
  // Work buffers are counted whole.
  assert.ok(total >= kind('resident') * 0.99 && total - kind('resident') <= kind('work'), `${total}: ${page}`);
  assert.doesNotMatch(server.process.output, /MaxListeners/);
});
