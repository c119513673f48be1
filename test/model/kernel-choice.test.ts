import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { realm } from '../cli/realm.ts';

describe('kernels of a model', () => {
  let home: string;
  let model: string;
  before(async () => {
    model = (await resolveModel('smollm2-135m')).path;
    home = await mkdtemp(join(tmpdir(), 'realm-home-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  const file = () => join(home, 'kernels.json');
  const load = async () => {
    const args = ['run', '--model', model, '--max-tokens', '1', 'Hello'];
    const { code, stderr } = await realm(args, { env: { REALM_HOME: home, REALM_KERNELS: '' } });
    assert.equal(code, 0, stderr);
    return JSON.parse(await readFile(file(), 'utf8')).choices;
  };

  it('are chosen once: the second start has the same ones and measures nothing', async () => {
    const chosen = await load();
    assert.deepEqual(Object.keys(chosen.Q4_1.variants), ['one', 'few', 'many']);
    const { ino, mtimeMs } = await stat(file());
    assert.deepEqual(await load(), chosen);
    // Whatever is measured is written, as a new file.
    assert.deepEqual([(await stat(file())).ino, (await stat(file())).mtimeMs], [ino, mtimeMs]);
  });
});
