import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { askRepo, searchHub } from '../../src/catalog/hub/ask.ts';
import { hubOf } from '../../src/catalog/hub/hub.ts';
import { pullFromHub, removePulled } from '../../src/catalog/hub/pull.ts';
import { readHubName } from '../../src/catalog/reference.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import type { Store } from '../../src/catalog/store.ts';
import { RealmError } from '../../src/errors.ts';
import { type FakeRepos, startFakeRepos } from './fake-repos.ts';

const bytes = (text: string) => Buffer.from(text.repeat(1000));
const split = { 'big-Q4_K_M-00001-of-00002.gguf': bytes('one'), 'big-Q4_K_M-00002-of-00002.gguf': bytes('two') };
const secret = 'hf_verysecret';

let root: string;
let hub: FakeRepos;
let store: Store;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'realm-hub-'));
  hub = await startFakeRepos(
    {
      'org/small-GGUF': {
        files: {
          'README.md': bytes('#'),
          's-Q4_K_M.gguf': bytes('4'),
          's-Q8_0.gguf': bytes('8'),
          'z.gguf': bytes('z'),
        },
        licence: 'mit',
      },
      'org/big-GGUF': { files: split },
      'org/huge-GGUF': { files: split, sizes: { 'big-Q4_K_M-00002-of-00002.gguf': 1e15 } },
      'org/gated-GGUF': { files: { 'g-Q4_K_M.gguf': bytes('g') }, token: secret },
      'org/false-GGUF': { files: { 'f-Q4_K_M.gguf': bytes('f') }, lies: { 'f-Q4_K_M.gguf': bytes('F') } },
      'org/odd-GGUF': { files: { '../../x-Q4_K_M.gguf': bytes('x'), 'a\\b-Q4_K_M.gguf': bytes('y') } },
    },
    2,
  );
});

beforeEach(async () => {
  const folder = await mkdtemp(join(root, 'store-'));
  store = { folder, localFolders: [folder] };
  hub.asked.length = 0;
  hub.delivered.length = 0;
});

after(async () => {
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ HF_ENDPOINT: hub.url, ...more });
const pull = (name: string, more?: NodeJS.ProcessEnv) =>
  pullFromHub(store, readHubName(name)!, { env: env(more), retryMs: 1 });

async function refusal(work: Promise<unknown>): Promise<RealmError> {
  const error = await work.then(
    () => undefined,
    thrown => thrown,
  );
  assert.ok(error instanceof RealmError, String(error));
  assert.ok(!error.message.includes(secret));
  return error;
}

describe('a pull from a hub', () => {
  it('takes Q4_K_M, checks it and remembers it: the second time nobody is asked', async () => {
    const file = await pull('org/small-GGUF');
    assert.equal(file.name, 's-Q4_K_M');
    assert.equal(file.origin, 'Hugging Face org/small-GGUF (Q4_K_M)');
    assert.deepEqual(await readFile(file.path), bytes('4'));
    hub.asked.length = 0;
    assert.deepEqual(await pull('org/small-GGUF'), file);
    assert.deepEqual(await pull('org/small-GGUF:q4_k_m'), file);
    assert.deepEqual(hub.asked, []);
  });

  it('takes what is asked for', async () => {
    assert.deepEqual(await readFile((await pull('org/small-GGUF:Q8_0')).path), bytes('8'));
    // That one was named; without a name it is still the usual one.
    assert.deepEqual(await readFile((await pull('org/small-GGUF')).path), bytes('4'));
  });

  it('takes all parts of a split model', async () => {
    const { path, name } = await pull('org/big-GGUF');
    assert.equal(name, 'big-Q4_K_M');
    assert.ok(path.endsWith('00001-of-00002.gguf'));
    assert.deepEqual(await readFile(path.replace('00001-of', '00002-of')), bytes('two'));
  });

  it('goes on where an earlier one broke off', async () => {
    const { path } = await pull('org/small-GGUF');
    const [stamp] = JSON.parse(await readFile(join(path, '..', 'pulled.json'), 'utf8'));
    await rm(path);
    await writeFile(`${path}.${stamp.files[0].sha256.slice(0, 12)}.part`, bytes('4').subarray(0, 400));
    hub.delivered.length = 0;
    assert.deepEqual(await readFile((await pull('org/small-GGUF')).path), bytes('4'));
    assert.deepEqual(
      hub.delivered.map(({ range }) => range),
      ['bytes=400-'],
    );
  });

  it('checks again what was changed since', async () => {
    const { path } = await pull('org/small-GGUF');
    await writeFile(path, bytes('5'));
    await pull('org/small-GGUF');
    assert.deepEqual(await readFile(path), bytes('4'));
  });

  it('sends the token to the hub alone', async () => {
    await pull('org/gated-GGUF', { HF_TOKEN: secret });
    assert.ok(hub.asked.length > 0 && hub.asked.every(line => line.endsWith('with a token')));
    await pull('org/small-GGUF', { HF_TOKEN: secret });
    assert.ok(hub.delivered.length > 0);
    // Nor to where a hub says that its list goes on.
    await hubOf(env({ HF_TOKEN: secret })).fetch(`${hub.cdn}/next`);
    for (const { authorization } of hub.delivered) assert.equal(authorization, undefined);
  });

  it('names what is wrong', async () => {
    const cases: [string, NodeJS.ProcessEnv, string, RegExp][] = [
      ['org/none-GGUF', { HF_TOKEN: secret }, 'model_not_found', /no repository org\/none-GGUF/],
      ['org/none-GGUF', {}, 'model_gated', /not there, or is private or gated.*HF_TOKEN/],
      ['org/gated-GGUF', {}, 'model_gated', /HF_TOKEN/],
      ['org/gated-GGUF', { HF_TOKEN: 'hf_other' }, 'model_gated', /accept its terms at/],
      ['org/small-GGUF:Q5_K_M', {}, 'quantization_not_found', /there are Q4_K_M, Q8_0, z\./],
      ['org/false-GGUF', {}, 'checksum_mismatch', /has SHA-256/],
      ['org/huge-GGUF', {}, 'download_failed', /bytes free, and 1000000000003000 are needed/],
      ['org/odd-GGUF', {}, 'model_not_found', /no GGUF files/],
    ];
    for (const [name, more, code, message] of cases) {
      const error = await refusal(pull(name, more));
      assert.equal(error.code, code, name);
      assert.match(error.message, message);
    }
    // That there is no room for the second part was known before the first was fetched.
    assert.ok(hub.delivered.every(({ path }) => !path.includes('huge')));
    assert.deepEqual(
      (await readdir(store.folder)).filter(name => name.endsWith('.gguf')),
      [],
    );
  });

  it('repeats no token that cannot be sent', async () => {
    const error = await refusal(pull('org/small-GGUF', { HF_TOKEN: `${secret}\nx` }));
    assert.equal(error.code, 'download_failed');
    assert.match(error.message, /HF_TOKEN has characters/);
    assert.deepEqual(hub.asked, []);
  });

  it('says when there is no hub', async () => {
    const error = await refusal(pull('org/small-GGUF', { HF_ENDPOINT: 'http://127.0.0.1:9' }));
    assert.equal(error.code, 'download_failed');
    assert.match(error.message, /does not answer about org\/small-GGUF/);
    assert.match((await refusal(pull('org/small-GGUF', { HF_ENDPOINT: 'file:///x' }))).message, /HF_ENDPOINT must be/);
  });

  it('is undone', async () => {
    const { path } = await pull('org/small-GGUF');
    assert.deepEqual(await removePulled(store, readHubName('org/small-GGUF')!), [path]);
    assert.deepEqual(await removePulled(store, readHubName('org/small-GGUF')!), []);
  });
});

describe('a model that is named', () => {
  it('with hf: is fetched, and without once it is there', async () => {
    const options = { store, env: env(), retryMs: 1 };
    const missing = await refusal(resolveModel('org/small-GGUF', options));
    assert.equal(missing.code, 'model_file_missing');
    assert.match(missing.message, /hf:org\/small-GGUF fetches it/);
    assert.deepEqual(hub.asked, []);
    const file = await resolveModel('hf://org/small-GGUF', options);
    assert.deepEqual(await resolveModel('org/small-GGUF', options), file);
  });
});

describe('a hub that is asked', () => {
  it('finds repositories', async () => {
    const found = await searchHub(hubOf(env()), 'gated', 5);
    assert.deepEqual(found, [{ repo: 'org/gated-GGUF', downloads: 14, gated: true, updated: '2026-10-01' }]);
  });

  it('says what is known of one', async () => {
    const info = await askRepo(hubOf(env()), 'org/small-GGUF');
    assert.deepEqual(info, { licence: 'mit', gated: false, downloads: 14 });
  });
});
