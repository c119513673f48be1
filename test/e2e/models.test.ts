/** A server whose models come and go, with real engines. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { readConfig } from '../../src/tenancy/config.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-models-'));
  // Two do not fit into a megabyte.
  const tiny = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 6500, layers: 2 };
  for (const name of ['a', 'b']) writeSynthetic(join(folder, `${name}.gguf`), { with: tiny });
  await writeFile(join(folder, 'broken.gguf'), 'GGUF and no more');
});
after(() => rm(folder, { recursive: true }));

async function serving(models: object[], use: (server: RunningServer, ask: Ask) => Promise<void>, more: object = {}) {
  const config = await readConfig({ server: { port: 0, ...more }, models }, folder, 'the test');
  const server = await startServer({ config, threads: 1 });
  const ask: Ask = async (method, path, body) => {
    const init = { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) ?? null };
    return (await fetch(`${server.url}${path}`, init)).json();
  };
  await use(server, ask).finally(() => server.close());
}

// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
type Ask = (method: string, path: string, body?: object) => Promise<any>;

const complete = async (ask: Ask, model: string) => {
  const { choices, error } = await ask('POST', '/v1/completions', { model, prompt: 'x', max_tokens: 2 });
  return choices ? 'answered' : error.code;
};
const states = async (ask: Ask) => {
  const { data } = await ask('GET', '/admin/v1/models');
  return data.map(({ id, state }: { id: string; state: string }) => `${id} ${state}`);
};

test('one of two models cannot be loaded: the other is served; alone it is no server', async () => {
  const broken = { id: 'broken', path: 'broken.gguf' };
  await serving([broken, { id: 'a', path: 'a.gguf', context: 128 }], async ({ models, unloaded }, ask) => {
    assert.deepEqual([models.map(({ id }) => id), unloaded.map(({ id }) => id)], [['a'], ['broken']]);
    assert.equal(await complete(ask, 'a'), 'answered');
    assert.equal(await complete(ask, 'broken'), 'model_unavailable');
    assert.equal((await ask('GET', '/health')).status, 'degraded');
    assert.equal((await ask('GET', '/ready')).status, 'ready');
  });
  await assert.rejects(
    serving([broken], async () => {}),
    { code: /^gguf_/ },
  );
});

test('two models on demand and memory for one: each goes for the other, and after its time', async () => {
  const models = ['a', 'b'].map(id => ({ id, path: `${id}.gguf`, context: 128, load: 'demand', idle_seconds: 1 }));
  const run = async (_: RunningServer, ask: Ask) => {
    assert.deepEqual(await states(ask), ['a unloaded', 'b unloaded']);
    const both = await Promise.all(['a', 'b', 'a', 'b'].map(id => complete(ask, id)));
    assert.deepEqual([...new Set(both)], ['answered']);
    assert.equal((await states(ask)).filter((state: string) => state.endsWith('ready')).length, 1);
    const gone = 'a unloaded,b unloaded';
    for (let i = 0; i < 100 && String(await states(ask)) !== gone; i++)
      await new Promise(done => setTimeout(done, 100));
    assert.equal(String(await states(ask)), gone);
  };
  await serving(models, run, { memory_mb: 1 });
});

test('a model that was added is there for the next server, under its number', async () => {
  const models = [{ id: 'a', path: 'a.gguf', context: 128 }];
  const store = { store: join(folder, 'realm.db') };
  await serving(
    models,
    async (_, ask) => {
      const path = join(folder, 'b.gguf');
      const added = await ask('POST', '/admin/v1/models', { id: 'own', path, context: 128, load: 'demand' });
      assert.deepEqual([added.number, added.state], [1000, 'unloaded']);
      assert.equal(await complete(ask, 'own'), 'answered');
    },
    store,
  );
  await serving(
    models,
    async (_, ask) => {
      const [, own] = (await ask('GET', '/admin/v1/models')).data;
      assert.deepEqual([own.id, own.number, own.source], ['own', 1000, 'store']);
      assert.equal(await complete(ask, 'own'), 'answered');
    },
    store,
  );
});
