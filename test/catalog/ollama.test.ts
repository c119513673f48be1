import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ollamaModels } from '../../src/catalog/ollama.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import type { Store } from '../../src/catalog/store.ts';

let root: string;
let ollama: string;
let store: Store;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'realm-ollama-'));
  ollama = join(root, 'ollama');
  store = { folder: join(root, 'store'), localFolders: [join(root, 'store')] };
  await add('registry.ollama.ai/library/small/1b', {
    model: 'GGUF of small',
    params: JSON.stringify({
      temperature: 0.6,
      top_k: 20,
      repeat_penalty: 1.1,
      repeat_last_n: -1,
      stop: ['<|im_end|>'],
    }),
    system: 'Be brief.',
    template: '{{ .Prompt }}',
    license: 'MIT',
  });
  await add('registry.ollama.ai/someone/other/latest', { model: 'GGUF of other' });
  await add('hf.co/Org/Repo-GGUF/Q4_K_M', { model: 'GGUF of repo' });
  await add('registry.ollama.ai/library/adapted/latest', { model: 'GGUF of adapted', adapter: 'LoRA' });
  await add('registry.ollama.ai/library/empty/latest', { template: 'x' });
  await writeManifest('registry.ollama.ai/library/broken/latest', '{');
  await writeManifest('registry.ollama.ai/library/hostile/latest', [
    { mediaType: 'application/vnd.ollama.image.model', digest: 'sha256:../../../etc/passwd', size: 1 },
  ]);
});

after(() => rm(root, { recursive: true, force: true }));

async function add(name: string, layers: Record<string, string>): Promise<void> {
  const all = await Promise.all(
    Object.entries(layers).map(async ([kind, text]) => {
      const sha256 = createHash('sha256').update(text).digest('hex');
      await mkdir(join(ollama, 'blobs'), { recursive: true });
      await writeFile(join(ollama, 'blobs', `sha256-${sha256}`), text);
      return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${sha256}`, size: text.length };
    }),
  );
  await writeManifest(name, all);
}

async function writeManifest(name: string, layers: object | string): Promise<void> {
  const path = join(ollama, 'manifests', name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof layers === 'string' ? layers : JSON.stringify({ schemaVersion: 2, layers }));
}

const env = (): NodeJS.ProcessEnv => ({ OLLAMA_MODELS: ollama });
const open = (name: string) => resolveModel(`ollama:${name}`, { store, env: env() });

describe("Ollama's store", () => {
  it('is listed as Ollama lists it, without what cannot be used', async () => {
    const names = (await ollamaModels(env())).map(({ name }) => name);
    assert.deepEqual(names, ['hf.co/Org/Repo-GGUF:Q4_K_M', 'small:1b', 'someone/other:latest']);
    assert.deepEqual(await ollamaModels({ OLLAMA_MODELS: join(root, 'nowhere') }), []);
  });

  it('gives its blobs as they lie there, with what its makers recommend', async () => {
    const file = await open('small:1b');
    assert.equal(dirname(file.path), join(ollama, 'blobs'));
    assert.equal(file.name, 'small:1b');
    assert.deepEqual(file.defaults, {
      system: 'Be brief.',
      sampling: { temperature: 0.6, topK: 20, repetitionPenalty: 1.1 },
    });
    for (const name of ['someone/other', 'someone/other:latest', 'hf.co/Org/Repo-GGUF:Q4_K_M', 'library/small:1b'])
      assert.match((await open(name)).origin, /^Ollama's store/);
    // Only Realm's own store was written.
    assert.deepEqual((await readdir(ollama)).sort(), ['blobs', 'manifests']);
  });

  it('names what is not there, and what is', async () => {
    await assert.rejects(open('small'), { code: 'model_not_found', message: /"small"; there are .*small:1b/ });
    await assert.rejects(open('../../x'), { code: 'model_not_found' });
    await assert.rejects(open('a/b/c/d/e'), { code: 'model_not_found' });
  });

  it('refuses what is no single GGUF file', async () => {
    for (const [name, message] of [
      ['adapted', /adds an adapter/],
      ['empty', /names 0 GGUF files/],
      ['broken', /is not JSON/],
      ['hostile', /is no manifest of Ollama/],
    ] as const)
      await assert.rejects(open(name), { code: 'model_invalid', message }, name);
  });

  it('refuses a blob that is not what its name says', async () => {
    const { path } = (await ollamaModels(env())).find(({ name }) => name === 'someone/other:latest')!;
    await writeFile(path, 'GGUF of otter');
    await assert.rejects(open('someone/other'), { code: 'checksum_mismatch' });
    await rm(path);
    await assert.rejects(open('someone/other'), { code: 'model_file_missing', message: /pull it again/ });
  });
});
