/** The page in Debian's Chromium: every task of a user and of an operator. One browser for all. */
import { after, before, describe } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { accessibilityTests } from './accessibility.ts';
import { chatTests } from './chat.ts';
import { operatorTests } from './operator.ts';
import { executable, openBrowser, openSite, type Site, type SiteOptions, withPage } from './site.ts';

type Visit = (hash: string, test: (page: Page) => Promise<void>, options?: BrowserContextOptions) => Promise<void>;

export interface Setup {
  /** Of the visit. */
  readonly site: Site;
  /** A server that wants no keys. */
  readonly visit: Visit;
  readonly visitKeyed: Visit;
  /** Without scripts. */
  readonly visitPlain: Visit;
}

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('the page', { skip }, () => {
  let browser: Browser;
  let site: Site;
  const visitor =
    (siteOptions: SiteOptions): Visit =>
    async (hash, test, options) => {
      site = await openSite(siteOptions);
      try {
        await withPage(browser, `${site.url}/${hash}`, test, options);
      } finally {
        site.close();
      }
    };

  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser?.close());

  const setup = (): Setup => ({
    site,
    visit: visitor({}),
    visitKeyed: visitor({ keyed: true }),
    visitPlain: visitor({ plain: true }),
  });
  chatTests(setup);
  operatorTests(setup);
  accessibilityTests(setup);
});
