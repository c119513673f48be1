/** The page from the real server, in one browser; the routes that it asks answer from scripts. */
import assert from 'node:assert/strict';
import { Hono } from 'hono';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { buildLocal } from '../../scripts/local.ts';
import { buildPage } from '../../scripts/page.ts';
import { type Listener, listen } from '../../src/server/node.ts';
import type { AppEnv } from '../../src/server/route.ts';
import { executable } from '../browser/page.ts';
import { scripted } from '../server/scripted.ts';
import { type AdminState, adminRoutes, newState } from './admin-script.ts';
import { type ChatState, chatRoutes } from './chat-script.ts';

export { executable } from '../browser/page.ts';

export interface SiteOptions {
  /** The admin API wants a key. */
  readonly keyed?: boolean;
  /** Nothing is scripted: the server itself answers, as one of before the admin API. */
  readonly plain?: boolean;
  /** What is at `/model.gguf`. */
  readonly model?: Uint8Array<ArrayBuffer>;
}

export interface Site {
  readonly url: string;
  readonly admin: AdminState;
  readonly chat: ChatState;
  close(): void;
}

export async function openSite({ keyed = false, plain = false, model }: SiteOptions = {}): Promise<Site> {
  await Promise.all([buildPage(), buildLocal()]);
  const { app } = scripted({ answer: () => 'It is Paris.' });
  const admin = newState();
  const chat: ChatState = { asked: [], left: 0 };
  const outer = new Hono<AppEnv>();
  const none = { error: { code: 'route_not_found', message: 'There is no such route' } };
  if (plain) outer.all('/admin/*', context => context.json(none, 404));
  else outer.route('/', adminRoutes(admin, keyed)).route('/', chatRoutes(chat));
  if (model) outer.get('/model.gguf', context => context.body(model));
  outer.all('*', context => app.fetch(context.req.raw, context.env));
  const listener: Listener = await listen(outer, '127.0.0.1', 0);
  return { url: `http://127.0.0.1:${listener.port}`, admin, chat, close: () => listener.destroy() };
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ ...(executable && { executablePath: executable }), args: ['--no-sandbox'] });

/** Runs a test in a page of its own, and fails it for what the browser complains of: errors, and breaches of the policy. */
export async function withPage(
  browser: Browser,
  url: string,
  test: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints = complaintsOf(page);
  try {
    await page.goto(url);
    await test(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Errors, and breaches of the policy, as they come. */
export function complaintsOf(page: Page): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('console', message => {
    // Refusals that a test provokes are no faults of the page.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}
