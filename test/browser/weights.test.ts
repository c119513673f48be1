/** Models that a browser keeps: downloaded once, gone on with after whatever broke a download off, and checked. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { bundle } from '../../scripts/bundle.ts';
import { encodeGguf, type MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, syntheticModel, writeSynthetic } from '../../scripts/synthetic/model.ts';
import type * as Library from '../../src/browser.ts';
import { launch, ModelServer, Visitor } from './model-server.ts';
import { executable } from './page.ts';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const MiB = 2 ** 20;

describe('a model that the browser keeps', { skip }, () => {
  let folder: string;
  let server: ModelServer;
  let browser: Browser;
  let visitor: Visitor;
  /** Under a megabyte, and of several pieces. */
  let small: Uint8Array;
  let large: Uint8Array;

  const synthetic = (options: SyntheticOptions): Uint8Array => {
    const path = join(folder, 'model.gguf');
    writeSynthetic(path, options);
    return readFileSync(path);
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realm-weights-'));
    await bundle(folder);
    const half = { entryPoints: ['src/library/page-source.ts'], outfile: join(folder, 'page-source.js') };
    await build({ ...half, bundle: true, format: 'esm', conditions: ['browser'] });
    small = synthetic({});
    large = synthetic({ with: { layers: 40 } });
    server = new ModelServer(folder);
    await server.listen();
    browser = await launch();
  });
  beforeEach(async () => {
    await visitor?.context.close();
    visitor = new Visitor(server, await browser.newContext());
    server.files.clear();
    server.files.set('/small.gguf', { bytes: small, etag: '"one"' });
    server.files.set('/large.gguf', { bytes: large, etag: '"one"' });
    server.asked = [];
  });
  after(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is there without a network, by its URL and by its checksum', async () => {
    const first = await visitor.load('/small.gguf', { cache: true });
    assert.equal(first.error, undefined);
    assert.deepEqual(first.downloads.at(-1), { done: small.length, total: small.length });
    assert.equal(server.asked.length, 1);
    const url = `${server.origin()}/small.gguf`;
    const id = `sha256:${sha256(small)}`;
    assert.deepEqual(await visitor.kept(), [
      { id, name: 'small.gguf', url, done: small.length, total: small.length, complete: true },
    ]);
    for (const source of ['/small.gguf', id]) {
      const again = await visitor.load(source, { cache: true });
      assert.deepEqual(again, { ...first, downloads: [] });
    }
    assert.equal(server.asked.length, 1);
  });

  it('goes on after its page was killed, with what was written by then', async () => {
    server.files.set('/large.gguf', { bytes: large, etag: '"one"', holdAfter: 9.5 * MiB });
    const page = await visitor.page();
    const lost = visitor.fetch('/large.gguf', undefined, page).catch(() => undefined);
    await until(async () => (await visitor.kept())[0]?.done === 8 * MiB);
    await page.close();
    await lost;
    server.files.set('/large.gguf', { bytes: large, etag: '"one"' });
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.equal(server.asked.at(-1)?.range, `bytes=${8 * MiB}-`);
    assert.equal(loaded.downloads[0]?.done, 8 * MiB);
  });

  it('goes on where a download was aborted, to the byte', async () => {
    const aborted = await visitor.fetch('/large.gguf', { cache: true, abortAt: 5.3 * MiB });
    assert.equal(aborted.error?.code, 'AbortError');
    const [kept] = await visitor.kept();
    assert.equal(kept?.complete, false);
    assert.ok(kept.done >= 5.3 * MiB);
    assert.equal(kept.total, large.length);
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.equal(server.asked.at(-1)?.range, `bytes=${kept.done}-`);
    assert.equal((await visitor.kept())[0]?.id, `sha256:${sha256(large)}`);
  });

  it('is begun anew where nobody can make anything of what is kept of it', async () => {
    const damages: ((entry: string) => string)[] = [
      () => '{"names": ["mod',
      () => 'null',
      entry => JSON.stringify({ ...JSON.parse(entry), files: [{ ...JSON.parse(entry).files[0], hash: [1, 2, 3] }] }),
      entry => entry.replace(/"pieces":\[(\d+)/, '"pieces":[1$1'),
    ];
    for (const damage of damages) {
      await visitor.fetch('/large.gguf', { cache: true, abortAt: 5 * MiB });
      const page = await visitor.page();
      await rewriteEntry(page, damage(await rewriteEntry(page)));
      await page.close();
      assert.equal((await visitor.fetch('/large.gguf')).error, undefined);
      assert.equal(server.asked.at(-1)?.range, undefined);
      const remover = await visitor.page();
      assert.equal(await remove(remover, '/large.gguf'), true);
      await remover.close();
    }
  });

  it('does not take its room from others once nobody can go on with it', async () => {
    await visitor.fetch('/large.gguf', { cache: true, abortAt: 5 * MiB });
    const page = await visitor.page();
    await rewriteEntry(page, 'damaged');
    await page.close();
    await visitor.fetch('/small.gguf');
    assert.equal((await visitor.stored()).filter(path => path.endsWith('/entry.json')).length, 1);
  });

  it('goes on by itself where the connection was cut', async () => {
    server.files.set('/large.gguf', { bytes: large, etag: '"one"', cutAfter: 5 * MiB });
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.ok(server.asked.length > 2);
    assert.match(server.asked.at(-1)?.range ?? '', /^bytes=\d{7,}-$/);
  });

  it('is begun anew where the server has another file by now', async () => {
    await visitor.fetch('/large.gguf', { cache: true, abortAt: 5 * MiB });
    const other = synthetic({ with: { layers: 40 }, seed: 2 });
    assert.equal(other.length, large.length);
    server.files.set('/large.gguf', { bytes: other, etag: '"two"' });
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(other) });
    assert.equal(loaded.error, undefined);
    assert.match(loaded.warnings[0] ?? '', /changed on the server/);
  });

  it('comes from a server without ranges too, from its beginning', async () => {
    server.files.set('/large.gguf', { bytes: large, ranges: false });
    await visitor.fetch('/large.gguf', { cache: true, abortAt: 5 * MiB });
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.deepEqual(loaded.downloads[0], { done: 0, total: large.length });
  });

  it('is not kept where it is not what was promised', async () => {
    const wrong = await visitor.fetch('/small.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(wrong.error?.code, 'checksum_mismatch');
    assert.match(wrong.error.message, new RegExp(sha256(small)));
    assert.deepEqual(await visitor.fetch('/small.gguf', { sha256: sha256(large) }), { ...wrong, downloads: [] });
    assert.deepEqual(await visitor.stored(), []);
    const right = await visitor.fetch('/small.gguf', { cache: true, sha256: sha256(small).toUpperCase() });
    assert.equal(right.error, undefined);
    assert.equal((await visitor.fetch('/small.gguf', { sha256: 'abc' })).error?.code, 'invalid_request');
  });

  it('is not kept where it is no model', async () => {
    server.files.set('/page.gguf', { bytes: new TextEncoder().encode('<html>Please log in</html>') });
    server.files.set('/cut.gguf', { bytes: small.subarray(0, 300_000) });
    const page = await visitor.fetch('/page.gguf');
    assert.equal(page.error?.code, 'gguf_invalid');
    const cut = await visitor.fetch('/cut.gguf');
    assert.equal(cut.error?.code, 'gguf_truncated');
    assert.deepEqual(await visitor.stored(), []);
  });

  it('says why it cannot be downloaded', async () => {
    const missing = await visitor.fetch('/nothing.gguf');
    assert.equal(missing.error?.code, 'download_failed');
    assert.match(missing.error.message, /answered 404; check the address/);
    const elsewhere = `${server.origin('localhost')}/small.gguf`;
    const hidden = await visitor.fetch(elsewhere);
    assert.equal(hidden.error?.code, 'download_failed');
    assert.match(hidden.error.message, /CORS.*access-control-allow-origin/);
    server.files.set('/small.gguf', { bytes: small, cors: true });
    assert.equal((await visitor.fetch(elsewhere)).error, undefined);
    const gone = await visitor.fetch('sha256:0', {});
    assert.equal(gone.error?.code, 'model_file_missing');
    assert.ok((await visitor.stored()).some(path => path.endsWith('/0.0')));
  });

  it('goes on from another origin, which hides what range it sends', async () => {
    server.files.set('/large.gguf', { bytes: large, cors: true });
    const elsewhere = `${server.origin('localhost')}/large.gguf`;
    await visitor.fetch(elsewhere, { cache: true, abortAt: 5 * MiB });
    const loaded = await visitor.fetch(elsewhere, { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.match(server.asked.at(-1)?.range ?? '', /^bytes=\d{7,}-$/);
    assert.ok(server.asked.every(({ method }) => method === 'GET'));
  });

  it('is refused before it is downloaded where it has no room', async () => {
    const page = await visitor.page();
    await page.evaluate(() => {
      StorageManager.prototype.estimate = async () => ({ usage: 1000, quota: 3000 });
    });
    const { error } = await visitor.fetch('/large.gguf', undefined, page);
    assert.equal(error?.code, 'storage_failed');
    assert.match(error.message, new RegExp(`keep 2000 more bytes, and the model needs ${large.length}\\. Remove`));
    assert.deepEqual(await visitor.stored(), []);
  });

  it('goes on once there is room again', async () => {
    server.files.set('/large.gguf', { bytes: large, etag: '"one"', holdAfter: 9.5 * MiB });
    const page = await visitor.page();
    const loading = visitor.fetch('/large.gguf', undefined, page);
    await until(async () => (await visitor.kept())[0]?.done === 8 * MiB);
    await setQuota(page, 9 * MiB);
    server.release();
    const { error } = await loading;
    assert.equal(error?.code, 'storage_failed');
    assert.match(error.message, /no more room.*goes on where it ended/);
    await setQuota(page, undefined);
    assert.equal((await visitor.kept())[0]?.done, 8 * MiB);
    const loaded = await visitor.fetch('/large.gguf', { cache: true, sha256: sha256(large) }, page);
    assert.equal(loaded.error, undefined);
    assert.equal(loaded.downloads[0]?.done, 8 * MiB);
  });

  it('is downloaded once where two tabs want it at once, by another where the first is killed', async () => {
    server.files.set('/large.gguf', { bytes: large, etag: '"one"', holdAfter: 5 * MiB });
    const pages = [await visitor.page(), await visitor.page(), await visitor.page()];
    const lost = visitor.fetch('/large.gguf', undefined, pages[0]).catch(() => undefined);
    await until(async () => (await visitor.kept())[0]?.done === 4 * MiB);
    const others = pages.slice(1).map(page => visitor.fetch('/large.gguf', undefined, page));
    assert.equal(await remove(pages[1]!, '/large.gguf'), 'store_locked');
    await new Promise(done => setTimeout(done, 2000));
    server.files.set('/large.gguf', { bytes: large, etag: '"one"' });
    await pages[0]!.close();
    await lost;
    for (const other of others) {
      const { error, downloads } = await other;
      assert.equal(error, undefined);
      assert.deepEqual(downloads[0], { done: 4 * MiB, total: large.length });
    }
    assert.equal(server.asked.length, 2);
  });

  it('is removed', async () => {
    await visitor.fetch('/small.gguf');
    await visitor.fetch('/large.gguf', { cache: true, abortAt: 5 * MiB });
    const page = await visitor.page();
    assert.equal(await remove(page, `sha256:${sha256(small)}`), true);
    assert.equal(await remove(page, '/large.gguf'), true);
    assert.equal(await remove(page, '/large.gguf'), false);
    assert.deepEqual(await visitor.stored(), []);
  });

  it('is kept once, whatever it was called', async () => {
    server.files.set('/mirror.gguf', { bytes: small });
    await visitor.fetch('/small.gguf');
    await visitor.fetch('/mirror.gguf');
    server.files.clear();
    assert.equal((await visitor.kept()).length, 1);
    for (const source of ['/small.gguf', '/mirror.gguf']) assert.equal((await visitor.fetch(source)).error, undefined);
  });

  it('may have several files', async () => {
    const page = await visitor.page();
    for (const [i, part] of splitModel().entries())
      server.files.set(`/split-0000${i + 1}-of-00003.gguf`, { bytes: part });
    const split = await visitor.fetch('/split-00001-of-00003.gguf', undefined, page);
    assert.equal(split.error, undefined);
    const { done, total } = split.downloads.at(-1)!;
    assert.equal(done, total);
    server.files.clear();
    const [kept] = await visitor.kept();
    assert.equal(kept?.total, total);
    server.files.set('/whole.gguf', { bytes: synthetic({}) });
    assert.equal((await visitor.load(kept.id)).text, (await visitor.load('/whole.gguf')).text);
  });

  it('may be one that the user picked', async () => {
    const page = await visitor.page();
    const pick = () =>
      page.evaluate(async () => {
        const url = '/browser.js';
        const { loadModel }: typeof Library = await import(url);
        const blob = await (await fetch('/small.gguf')).blob();
        const model = await loadModel(new File([blob], 'mine.gguf'), { cache: true, context: 64 });
        await model.close();
      });
    await pick();
    await pick();
    const kept = await visitor.kept();
    assert.equal(kept.length, 1);
    assert.equal(kept[0]?.name, 'mine.gguf');
    assert.equal((await visitor.load(kept[0].id)).error, undefined);
  });

  it('is loaded without being kept where there is no store, with a warning', async () => {
    const page = await visitor.page();
    await page.evaluate(() => {
      StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'));
    });
    const loaded = await visitor.fetch('/small.gguf', undefined, page);
    assert.equal(loaded.error, undefined);
    assert.match(loaded.warnings[0] ?? '', /private window; it is loaded all the same/);
    assert.deepEqual(await visitor.stored(), []);
  });

  it('is kept by workers that write only with synchronous handles, as older Safaris do', async () => {
    const page = await visitor.page();
    const result = await page.evaluate(async () => {
      const source = `
        delete FileSystemFileHandle.prototype.createWritable;
        const { loadModel, cachedModels } = await import('${location.origin}/browser.js');
        const model = await loadModel('${location.origin}/large.gguf', { cache: true, context: 64 });
        await model.close();
        postMessage(await cachedModels());`;
      const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), {
        type: 'module',
      });
      return new Promise<unknown>((done, failed) => {
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = ({ message }) => failed(new Error(message));
      });
    });
    assert.equal((result as Library.CachedModel[])[0]?.id, `sha256:${sha256(large)}`);
    assert.equal((await visitor.fetch('/large.gguf')).error, undefined);
    assert.equal(server.asked.length, 1);
  });

  /** Three files of one model. */
  function splitModel(): Uint8Array[] {
    const { metadata, tensors } = syntheticModel();
    const third = Math.ceil(tensors.length / 3);
    return [0, 1, 2].map(part => {
      const own: [string, MetaValue][] = [
        ['split.no', { type: 'u16', value: part }],
        ['split.count', { type: 'u16', value: 3 }],
        ['split.tensors.count', { type: 'i32', value: tensors.length }],
      ];
      return encodeGguf({
        metadata: new Map([...(part === 0 ? metadata : []), ...own]),
        tensors: tensors.slice(part * third, (part + 1) * third),
      });
    });
  }
});

/** Sets what the browser allows pages of its origin, in bytes. */
async function setQuota(page: Page, quotaSize: number | undefined): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize !== undefined && { quotaSize }) });
}

/** What the only model's record says, after it was written anew. */
async function rewriteEntry(page: Page, text?: string): Promise<string> {
  return page.evaluate(async text => {
    const root = await navigator.storage.getDirectory();
    const models = await root.getDirectoryHandle('realm-models');
    const [folder] = await Array.fromAsync(models as unknown as AsyncIterable<[string, FileSystemDirectoryHandle]>);
    const file = await folder![1].getFileHandle('entry.json');
    if (text !== undefined) {
      const stream = await file.createWritable();
      await stream.write(text);
      await stream.close();
    }
    return (await file.getFile()).text();
  }, text);
}

/** What it says, or the code of its refusal. */
async function remove(page: Page, model: string): Promise<boolean | string> {
  return page.evaluate(async model => {
    const url = '/browser.js';
    const { removeCachedModel }: typeof Library = await import(url);
    const which = model.startsWith('/') ? new URL(model, location.href) : model;
    return removeCachedModel(which).catch((error: Library.RealmError) => error.code);
  }, model);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 200, 'it takes too long');
    await new Promise(done => setTimeout(done, 100));
  }
}
