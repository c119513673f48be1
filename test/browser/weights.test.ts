/** Models that a browser keeps: downloaded once, gone on with after whatever broke a download off, and checked. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { bundle } from '../../scripts/bundle.ts';
import { type SyntheticOptions, writeSynthetic } from '../../scripts/synthetic/model.ts';
import { launch, ModelServer, Visitor } from './model-server.ts';
import { executable } from './page.ts';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const MiB = 2 ** 20;

describe('a model that the browser keeps', { skip, timeout: 300_000 }, () => {
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
    await bundle(join(folder, 'browser.js'));
    small = synthetic({});
    large = synthetic({ with: { layers: 40 } });
    server = new ModelServer(readFileSync(join(folder, 'browser.js')));
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
    const lost = visitor.load('/large.gguf', { cache: true }, page).catch(() => undefined);
    await until(async () => (await visitor.kept())[0]?.done === 8 * MiB);
    await page.close();
    await lost;
    server.files.set('/large.gguf', { bytes: large, etag: '"one"' });
    const loaded = await visitor.load('/large.gguf', { cache: true, sha256: sha256(large) });
    assert.equal(loaded.error, undefined);
    assert.equal(server.asked.at(-1)?.range, `bytes=${8 * MiB}-`);
    assert.equal(loaded.downloads[0]?.done, 8 * MiB);
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 200, 'it takes too long');
    await new Promise(done => setTimeout(done, 100));
  }
}
