/** What an operator does. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { adminKey, shownKey } from './admin-script.ts';
import type { Setup } from './page.test.ts';

export function operatorTests(setup: () => Setup): void {
  const at = (hash: string, test: (page: Page) => Promise<void>) => setup().visit(hash, test);
  const changes = () => setup().site.admin.changes;

  describe('an operator', () => {
    it('sees the tenants live', () =>
      at('#/live', async page => {
        const row = page.getByRole('row', { name: /^acme/ });
        for (const text of ['67 %', '120 ms', '1.4 s', '50 %', /100 of 1K tokens a day left/])
          await row.getByText(text).first().waitFor();
        assert.equal(await page.locator('canvas').count(), 2);
        const before = await row.textContent();
        await page.waitForFunction(text => document.querySelector('tbody tr')?.textContent !== text, before);
      }));

    it('loads, unloads, pins and adds models', () =>
      at('#/models', async page => {
        await page.getByText('The file is no GGUF').waitFor();
        await page.getByText('40 %').waitFor();
        await page.getByRole('button', { name: 'Load large' }).click();
        await page.getByRole('button', { name: 'Unload large' }).waitFor();
        await page.getByRole('button', { name: 'Pin large' }).click();
        await page.getByRole('button', { name: 'Pin large', pressed: true }).waitFor();
        await page.getByRole('button', { name: 'Unload large' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Unload' }).click();
        await page.getByRole('button', { name: 'Load large' }).waitFor();
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.getByLabel('Id').fill('new');
        await page.getByLabel('Name in the catalog').fill('qwen');
        await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
        await page.getByRole('rowheader', { name: 'new' }).waitFor();
        await page.getByRole('button', { name: 'Remove new' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
        await page.getByRole('rowheader', { name: 'new' }).waitFor({ state: 'detached' });
        assert.ok(changes().includes('POST /admin/v1/models {"id":"new","catalog":"qwen"}'));
      }));

    it('creates a tenant, changes, disables and deletes it', () =>
      at('#/tenants', async page => {
        await page.getByRole('button', { name: 'New tenant' }).click();
        await page.getByLabel('Id').fill('acme');
        await page.getByRole('button', { name: 'Create' }).click();
        await page.getByText('There is a tenant of that id').waitFor();
        await page.getByLabel('Id').fill('team/one');
        await page.getByLabel('Limit').fill('5000');
        await page.getByRole('button', { name: 'Create' }).click();
        await page.getByRole('link', { name: 'team/one' }).click();
        await page.getByText('5K tokens a month').waitFor();
        await page.getByRole('button', { name: 'Change' }).click();
        await page.getByLabel('Limit').fill('7000');
        await page.getByLabel('Requests', { exact: true }).fill('30');
        await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
        await page.getByText('7K tokens a month').waitFor();
        await page.getByText('30 requests a minute').waitFor();
        await page.getByRole('button', { name: 'Disable' }).click();
        await page.getByText('disabled').waitFor();
        await page.getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('heading', { name: 'Tenants' }).waitFor();
        assert.equal(await page.getByText('team/one').count(), 0);
        assert.ok(changes().includes('DELETE /admin/v1/tenants/team%2Fone'));
      }));

    it('creates a key that is shown once, rotates and revokes it', () =>
      at('#/tenants/acme', async page => {
        await page.getByRole('button', { name: 'New key' }).click();
        await page.getByLabel('Name').fill('bot');
        await page.getByLabel('Models', { exact: true }).fill('small, large');
        await page.getByLabel(/^Read/).check();
        await page.getByRole('button', { name: 'Create' }).click();
        await page.getByText(shownKey).waitFor();
        await page.getByRole('button', { name: 'I have it' }).click();
        await page.getByRole('rowheader', { name: 'key_bbbbbbbbbbbb' }).waitFor();
        assert.ok(!(await page.content()).includes(shownKey));
        const wanted = { scopes: ['inference', 'read'], name: 'bot', models: ['small', 'large'] };
        assert.ok(changes().includes(`POST /admin/v1/tenants/acme/keys ${JSON.stringify(wanted)}`));

        await page.getByRole('button', { name: 'Rotate ci' }).first().click();
        await page.getByLabel('The old one').selectOption('3600');
        await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
        await page.getByText(shownKey).waitFor();
        await page.keyboard.press('Escape');
        assert.ok(changes().some(change => /rotate \{"overlap_seconds":3600\}$/.test(change)));

        await page.getByRole('button', { name: 'Revoke bot' }).click();
        await page.getByLabel(/End its requests/).check();
        await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
        await page.getByText('revoked').waitFor();
        assert.ok(changes().includes('DELETE /admin/v1/tenants/acme/keys/key_bbbbbbbbbbbb?cancel=true'));
      }));

    it('reads the ledger, row by row too, and takes it home', () =>
      at('#/usage', async page => {
        await page.getByRole('cell', { name: '1,234' }).waitFor();
        await page.getByLabel('Tenant').fill('acme');
        await page.getByLabel('From').fill('2026-11-01');
        await page.getByLabel('Sum by').selectOption('detail');
        await page.getByRole('button', { name: 'Show' }).click();
        await page.getByRole('rowheader', { name: 'req_9' }).waitFor();
        assert.equal(setup().site.admin.asked.at(-1), '?tenant=acme&from=2026-11-01&detail=true&limit=100');
        await page.getByRole('button', { name: 'Older calls' }).click();
        await page.getByRole('rowheader', { name: 'req_8' }).waitFor();
        const coming = page.waitForEvent('download');
        await page.getByRole('button', { name: 'Download CSV' }).click();
        const file = await coming;
        assert.equal(file.suggestedFilename(), 'usage.csv');
        assert.match(await readFile(await file.path(), 'utf8'), /^tenant,input_tokens\nacme,12/);
      }));

    it('reads the audit by pages', () =>
      at('#/audit', async page => {
        await page.getByRole('rowheader', { name: '50', exact: true }).waitFor();
        await page.getByRole('button', { name: 'More' }).click();
        await page.getByRole('rowheader', { name: '60', exact: true }).waitFor();
        assert.equal(await page.getByRole('rowheader').count(), 10);
        await page.getByRole('button', { name: 'Back' }).click();
        await page.getByText('{"weight":0}').waitFor();
      }));

    it('sees requests and cancels one', () =>
      at('#/requests', async page => {
        await page.getByText('waiting').waitFor();
        await page.getByRole('button', { name: 'Cancel req_2' }).click();
        await page.getByText('req_2').waitFor({ state: 'detached' });
        assert.ok(changes().includes('DELETE /admin/v1/requests/req_2'));
      }));

    it('sees the runs of pipelines, and the steps of one in its time', () =>
      at('#/pipelines', async page => {
        await page.getByRole('row', { name: /run_1.*failed.*triage.*acme.*1\.5 s.*40.*8.*pipeline_failed/ }).waitFor();
        await page.getByRole('link', { name: 'run_1' }).click();
        await page.getByText('the step each[1].fix failed').waitFor();
        await page.getByRole('row', { name: /each\[1\]\.fix.*failed.*model.*big.*900 ms.*2.*engine_failed/ }).waitFor();
        const bar = page.getByRole('img', { name: 'each[1].fix began after 500 ms' }).locator('rect');
        const [x, width] = [await bar.getAttribute('x'), await bar.getAttribute('width')];
        assert.deepEqual([Math.round(Number(x)), Math.round(Number(width))], [33, 60]);
        await page.getByRole('link', { name: 'All runs' }).click();
        await page.getByRole('heading', { name: 'Pipelines', level: 1 }).waitFor();
      }));

    it('is asked for a key, which is kept in memory only', () =>
      setup().visitKeyed('#/live', async page => {
        await page.getByText('This wants the key of an administrator').waitFor();
        await page.waitForTimeout(2500);
        assert.equal(setup().site.admin.refused, 1, 'it does not ask again and again');
        await page.getByRole('button', { name: 'Enter a key' }).click();
        await page.getByLabel(/^Administrator/).fill(` ${adminKey} `);
        await page.getByRole('button', { name: 'Use' }).click();
        await page.getByRole('row', { name: /^acme/ }).waitFor();
        const stored = await page.evaluate(() =>
          JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
        );
        assert.ok(!stored.includes(adminKey));
        assert.ok(!(await page.content()).includes(adminKey));
        assert.ok(!page.url().includes(adminKey));
        await page.reload();
        await page.getByText('This wants the key of an administrator').waitFor();
      }));

    it('is told what a server does not have', () =>
      setup().visitPlain('#/chat', async page => {
        for (const view of ['Live', 'Models', 'Tenants', 'Usage', 'Requests', 'Pipelines', 'Audit']) {
          await page.getByRole('link', { name: view }).click();
          await page.getByRole('heading', { name: view, level: 1 }).waitFor();
          await page
            .getByText(/^Not on this server/)
            .or(page.locator('main .table, main .empty'))
            .first()
            .waitFor();
        }
      }));
  });
}
