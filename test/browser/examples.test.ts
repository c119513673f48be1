/** The pages of examples/browser, from a static folder: each does what it is there for. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { bundle } from '../../scripts/bundle.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { executable, type OpenPage, openPage } from './page.ts';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('examples for a browser', { skip }, () => {
  let folder: string;
  let file: string;
  let open: OpenPage;
  let page: Page;
  let here: Model;
  const complaints: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-examples-'));
    await bundle(folder);
    file = join(folder, 'model.gguf');
    writeSynthetic(file);
    const scripts = ['browser.js', 'browser-worker.js', 'guest-worker.js'].map(name => join(folder, name));
    const paths = [...globSync('examples/browser/*.{html,js,css}'), ...scripts, 'guest/wasm/shout.wasm', file];
    open = await openPage(Object.fromEntries(paths.map(path => [`/${basename(path)}`, path])));
    ({ page } = open);
    page.setDefaultTimeout(20_000);
    page.on('pageerror', error => complaints.push(String(error)));
    here = await loadModel(file, { device: 'cpu', threads: 1 });
  });
  after(async () => {
    await here?.close();
    await open?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const visit = (path: string) => page.goto(new URL(path, page.url()).href);
  const load = async () => {
    await page.getByRole('button', { name: 'Load' }).click();
    await page.getByText(/^model on wasm/).waitFor();
  };

  it('chat.html: answers in a chat about a file that was picked, and offers it the next time', async () => {
    await visit('/chat.html');
    await page.getByRole('button', { name: 'Load' }).click();
    await page.getByText(/which model\?/).waitFor();
    await page.getByLabel('or a file').setInputFiles(file);
    await load();
    await page.getByLabel('You:').fill('Hello');
    await page.getByRole('button', { name: 'Send' }).click();
    const said = page.locator('.said');
    await said.nth(1).filter({ hasText: /\w/ }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('button[name=send]:enabled').waitFor();
    const texts = await said.allTextContents();
    assert.equal(texts.length, 2, texts.join('|'));
    assert.equal(texts[0], 'You: Hello');
    await visit('/chat.html');
    await page.locator('#kept option').waitFor({ state: 'attached' });
    assert.match(
      await page.locator('#kept option').evaluate(option => (option as HTMLOptionElement).value),
      /^sha256:/,
    );
    assert.deepEqual(complaints, []);
  });

  it('search.html: ranks texts as Node does', async () => {
    await visit('/search.html?model=model.gguf');
    await load();
    const lines = (await page.getByLabel('Texts').inputValue()).split('\n');
    const query = await page.getByLabel('What is wanted').inputValue();
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('#found li').nth(3).waitFor();
    const [wanted, ...vectors] = await here.embed([query, ...lines]);
    const dot = (a: Float32Array) => a.reduce((sum, x, at) => sum + x * wanted![at]!, 0);
    const ranked = lines.map((text, i) => ({ text, score: dot(vectors[i]!) })).sort((a, b) => b.score - a.score);
    const expected = ranked.map(({ text, score }) => `${score.toFixed(3)} ${text}`);
    assert.deepEqual(await page.locator('#found li').allTextContents(), expected);
    assert.deepEqual(complaints, []);
  });

  it('program.html: runs a program', async () => {
    await visit('/program.html?model=model.gguf');
    await load();
    await page.getByRole('button', { name: 'Run' }).click();
    const took = page.locator('#took').filter({ hasText: /./ });
    await took.waitFor();
    assert.match((await took.textContent()) ?? '', /^\d+ tokens, \d+ of fuel$/);
    const said = (await page.locator('#said').textContent()) ?? '';
    assert.match(said, /[A-Z]{3}/);
    assert.doesNotMatch(said, /[a-z]/);
    assert.deepEqual(complaints, []);
  });

  it('are all in their list', () => {
    const list = readFileSync('examples/browser/README.md', 'utf8');
    for (const path of globSync('examples/browser/*.{html,js,css}'))
      assert.ok(list.includes(`](${basename(path)})`), path);
  });
});
