/** Every view in light and dark, on a wide screen and a phone: axe finds nothing, nothing is cut off, keys are enough. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { ask } from './chat.ts';
import type { Setup } from './page.test.ts';

/** How to get there, and what shows that it is there. */
const views: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  '#/chat': async page => {
    await ask(page, 'think');
    await page.getByRole('button', { name: 'Again' }).waitFor();
  },
  '#/live': page => page.getByRole('row', { name: /^acme/ }).waitFor(),
  '#/models': page => page.getByText('40 %').waitFor(),
  '#/tenants': page => page.getByRole('link', { name: 'acme' }).waitFor(),
  '#/tenants/zeta': page => page.getByText('key_aaaaaaaaaaaa').waitFor(),
  '#/tenants/acme': async page => {
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByRole('dialog').waitFor();
  },
  '#/usage': page => page.getByRole('cell', { name: '1,234' }).waitFor(),
  '#/requests': page => page.getByText('running').waitFor(),
  '#/pipelines': page => page.getByText('pipeline_failed').waitFor(),
  '#/pipelines/run_1': page => page.getByText('engine_failed').waitFor(),
  '#/audit': page => page.getByText('{"weight":0}').waitFor(),
};

export const wide = { width: 1280, height: 800 };
const phone = { width: 360, height: 640 };

export function accessibilityTests(setup: () => Setup): void {
  describe('every view', () => {
    for (const [hash, arrive] of Object.entries(views)) {
      it(`${hash} fits a phone, and axe finds nothing in light and dark, narrow and wide`, () =>
        setup().visit(
          hash,
          async page => {
            await arrive(page);
            const width = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(width <= phone.width, `${width} px`);
            await lookAtAll(page, [phone, wide]);
          },
          { viewport: phone, hasTouch: true },
        ));
    }
  });

  it('a chat with log-probabilities, calls and errors has nothing that axe finds', () =>
    setup().visit('#/chat', async page => {
      await page.getByLabel('Log-probabilities of tokens').check();
      for (const name of ['Sampling', 'Form of the answer', 'Tools'])
        await page.getByText(name, { exact: true }).click();
      for (const text of ['Hi', 'refuse']) {
        await ask(page, text);
        await page.getByRole('button', { name: 'Again' }).waitFor();
      }
      await page.getByText('Paris.', { exact: true }).hover();
      await page.getByLabel('Functions').fill('{"name": "weather"}');
      await ask(page, 'Weather?');
      await page.getByLabel('Result of weather').waitFor();
      await lookAtAll(page, [wide]);
    }));

  it('keys are enough to ask, and to revoke a key', () =>
    setup().visit('#/chat', async page => {
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await tabTo(page, 'Message');
      await page.keyboard.type('Hi');
      await page.keyboard.press('Enter');
      await page.getByText('It is Paris.').waitFor();
      await page.goto(`${page.url().split('#')[0]}#/tenants/acme`);
      await page
        .getByRole('button', { name: /^Revoke/ })
        .first()
        .waitFor();
      await tabTo(page, /^Revoke/);
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      assert.match(await focused(page), /^Revoke/);
    }));
}

export async function lookAtAll(page: Page, sizes: readonly { width: number; height: number }[]): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], `${colorScheme}, ${size.width} px`);
    }
  }
}

/** One line for each element that a rule finds. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] });
    if (passes.length < 10) throw new Error('axe has hardly looked');
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}

/** What has the focus is called. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement;
    const label = element instanceof HTMLTextAreaElement ? element.labels?.[0]?.textContent : undefined;
    return (element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? '').trim();
  });

async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const there = await focused(page);
    if (typeof name === 'string' ? there === name : name.test(there)) return;
  }
  assert.fail(`Tab never comes to ${name}`);
}
