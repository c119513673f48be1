import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { addFolder, removeFolder } from '../../src/catalog/folders.ts';
import { modelsHere } from '../../src/catalog/here.ts';
import { isModelName, resolveModel } from '../../src/catalog/resolve.ts';
import { openStore } from '../../src/catalog/store.ts';

let root: string;
let folder: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'realm-folders-')));
  folder = join(root, 'models');
  for (const name of [
    'one.gguf',
    'org/repo/two.Q8_0.gguf',
    'split-00001-of-00002.gguf',
    'split-00002-of-00002.gguf',
    'mmproj-one.gguf',
    'notes.txt',
    'far/too/far/below/three.gguf',
  ]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), name);
  }
});

afterEach(() => rm(root, { recursive: true, force: true }));

const env = (): NodeJS.ProcessEnv => ({ REALM_HOME: join(root, 'home'), OLLAMA_MODELS: join(root, 'nowhere') });
const store = () => openStore(env());
const inFolder = async () => (await modelsHere(store(), env())).filter(({ path }) => path.startsWith(folder));

describe('a folder of models', () => {
  it('that was added gives its files names', async () => {
    assert.deepEqual(await inFolder(), []);
    assert.equal(await addFolder(store().folder, folder), folder);
    await addFolder(store().folder, join(folder, '.'));
    const found = await inFolder();
    assert.deepEqual(
      found.map(({ name, source, size }) => [name, source, size]),
      [
        ['one', 'folder', 'one.gguf'.length],
        ['split', 'folder', 2 * 'split-00001-of-00002.gguf'.length],
        ['two.Q8_0', 'folder', 'org/repo/two.Q8_0.gguf'.length],
      ],
    );
    const file = await resolveModel('split', { store: store(), env: env() });
    assert.equal(file.path, join(folder, 'split-00001-of-00002.gguf'));
    assert.equal(file.name, 'split');
    assert.ok(await isModelName('TWO.q8_0', store()));
    assert.equal(await isModelName('three', store()), false);
    assert.equal(await isModelName('org/repo/two.Q8_0.gguf', store()), false);
  });

  it('can be taken away', async () => {
    await addFolder(store().folder, folder);
    assert.equal(await removeFolder(store().folder, folder), true);
    assert.equal(await removeFolder(store().folder, folder), false);
    assert.deepEqual(await inFolder(), []);
  });

  it('must be one', async () => {
    for (const path of [join(folder, 'one.gguf'), join(root, 'none')])
      await assert.rejects(addFolder(store().folder, path), { code: 'model_file_missing', message: /is no folder/ });
  });
});
