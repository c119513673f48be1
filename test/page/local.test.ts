/** From the list of models to an answer that no server has given: the page at `/local/`, under its own policy. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { lookAtAll, wide } from './accessibility.ts';
import { complaintsOf, executable, openBrowser, openSite, withPage } from './site.ts';

const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('a model of the server in this browser', { skip }, () => {
  let browser: Browser;
  let folder: string;
  let model: Uint8Array<ArrayBuffer>;
  before(async () => {
    browser = await openBrowser();
    folder = await mkdtemp(join(tmpdir(), 'realm-local-'));
    writeSynthetic(join(folder, 'model.gguf'));
    model = Uint8Array.from(readFileSync(join(folder, 'model.gguf')));
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const visit = async (test: Parameters<typeof withPage>[2]) => {
    const site = await openSite({ model });
    try {
      await withPage(browser, `${site.url}/#/models`, test);
    } finally {
      site.close();
    }
  };

  it('is one click away, answers on threads, and leaves the page where it is', () =>
    visit(async page => {
      const link = page.getByRole('link', { name: 'Run in this browser: small' });
      const [tab] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
      tab.setDefaultTimeout(30_000);
      const complaints = complaintsOf(tab);
      const missing: string[] = [];
      tab.on('response', response => response.status() >= 400 && missing.push(new URL(response.url()).pathname));
      await tab.getByText(/^model on wasm/).waitFor();
      assert.equal(await tab.evaluate(() => crossOriginIsolated), true);
      assert.equal(await tab.evaluate(() => opener), null);
      await tab.getByLabel('You:').fill('Hello');
      await tab.getByRole('button', { name: 'Send' }).click();
      await tab.locator('.said').nth(1).filter({ hasText: /\w/ }).waitFor();
      await tab.getByRole('button', { name: 'Stop' }).click();
      await tab.locator('button[name=send]:enabled').waitFor();
      await lookAtAll(tab, [wide]);
      assert.deepEqual(complaints, []);
      assert.deepEqual(
        missing.filter(path => path !== '/favicon.ico'),
        [],
      );
      await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
    }));

  it('is offered only where the server says so', () =>
    visit(async page => {
      await page.getByRole('row', { name: /^large/ }).waitFor();
      assert.equal(await page.getByRole('link', { name: /in this browser/ }).count(), 1);
    }));
});
