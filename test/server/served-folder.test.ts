/** A folder of GGUF files that is served: each by its name, loaded when it is first asked for. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { startServer } from '../../src/server/start.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-folder-'));
  await mkdir(join(folder, 'models/org/repo'), { recursive: true });
  await mkdir(join(folder, 'empty'));
  for (const name of ['one.gguf', 'org/repo/two.gguf'])
    writeSynthetic(join(folder, 'models', name), {
      with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 },
    });
});
after(() => rm(folder, { recursive: true }));

const start = (models: string) => startServer({ models: join(folder, models), port: 0, threads: 1, device: 'cpu' });

test('its models have the names of their files, and load when they are asked for', async t => {
  const server = await start('models');
  t.after(() => server.close());
  const states = async () => {
    const { data } = await (await fetch(`${server.url}/v1/models`)).json();
    return data.map(({ id, state }: { id: string; state?: string }) => [id, state === 'unloaded']);
  };
  assert.deepEqual(await states(), [
    ['one', true],
    ['two', true],
  ]);
  const answer = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'two', prompt: 'Hello', max_tokens: 2 }),
  });
  assert.equal((await answer.json()).model, 'two');
  assert.deepEqual(await states(), [
    ['one', true],
    ['two', false],
  ]);
});

test('one without models, or that is not there, is no server', async () => {
  for (const name of ['empty', 'none'])
    await assert.rejects(start(name), { code: 'model_file_missing', message: /has no GGUF files/ });
});
