/** Each view of the page on a whole server, nothing of which is scripted. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildPage } from '../../scripts/page.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { startServer } from '../../src/server/start.ts';
import { readConfig } from '../../src/tenancy/config.ts';
import { executable, openBrowser, withPage } from './site.ts';

const skip = executable || process.env.CI ? false : 'there is no Chromium';

test('every view has what it asks a whole server for', { skip }, async () => {
  await buildPage();
  const folder = await mkdtemp(join(tmpdir(), 'realm-page-'));
  writeSynthetic(join(folder, 'model.gguf'), {
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 },
  });
  const models = [{ id: 'small', path: 'model.gguf', context: 256 }];
  const config = await readConfig({ server: { port: 0 }, models }, folder, 'the test');
  const server = await startServer({ config, threads: 1 });
  const browser = await openBrowser();
  try {
    await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Hello', max_tokens: 4 }),
    });
    await withPage(browser, `${server.url}/#/chat`, async page => {
      for (const view of ['Live', 'Models', 'Tenants', 'Usage', 'Requests', 'Pipelines', 'Audit']) {
        await page.getByRole('link', { name: view }).click();
        await page.getByRole('heading', { name: view, level: 1 }).waitFor();
        await page.locator('main .table, main .empty').first().waitFor();
        assert.deepEqual(await page.locator('main .notice').allTextContents(), [], view);
      }
      await page.getByRole('link', { name: 'Models' }).click();
      await page.getByRole('row', { name: /^small/ }).waitFor();
    });
  } finally {
    await browser.close();
    await server.close();
    await rm(folder, { recursive: true });
  }
});
