/** How the page is served: to whom, under which policy, how large. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildLocal } from '../../scripts/local.ts';
import { buildPage } from '../../scripts/page.ts';
import { localLink } from '../../src/server/local-link.ts';
import type { ModelEntry } from '../../src/tenancy/config.ts';
import { scripted } from '../server/scripted.ts';

const { app } = scripted({ answer: () => '' });
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  app.request(`http://localhost${path}`, { method, headers });
const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'accept-encoding': 'gzip, br' };
const linked = async () => {
  const html = await (await get('/', { accept: 'text/html' })).text();
  return [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
};

before(() => Promise.all([buildPage(), buildLocal()]));

describe('GET /', () => {
  it('is a page for browsers, under a policy that lets nothing in from elsewhere', async () => {
    const response = await get('/', { accept: browser.accept });
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    const html = await response.text();
    assert.doesNotMatch(html, /<style|<script(?! type="module" src="\/page\/)| style=| on\w+=/);
  });

  it('says to others that the server runs', async () => {
    const response = await get('/');
    assert.equal((await response.json()).name, 'Realm');
    const head = await get('/', {}, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(await head.text(), '');
    assert.match(head.headers.get('vary') ?? '', /accept\b/);
  });
});

describe('the files of the page', () => {
  it('are kept for ever, since their names change', async () => {
    const paths = await linked();
    assert.equal(paths.length, 3);
    for (const path of paths) {
      const response = await get(path, browser);
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
      assert.equal(response.headers.get('content-encoding'), 'gzip');
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.match(path, /-[A-Z0-9]{8}\.(js|css|svg)$/);
    }
  });

  it('are plain for those who want them so', async () => {
    const [script] = (await linked()).filter(path => path.endsWith('.js'));
    const response = await get(script!);
    assert.equal(response.headers.get('content-encoding'), null);
    assert.equal(response.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.ok((await response.text()).length > 10_000);
  });

  it('are the only ones', async () => {
    for (const name of ['stamp', 'index.html', 'nothing.js', '..%2f..%2fpackage.json', 'constructor']) {
      const response = await get(`/page/${name}`);
      assert.equal(response.status, 404, name);
      assert.equal((await response.json()).error.code, 'route_not_found');
    }
  });

  it('are built once', async () => {
    const before = statSync('build/page/index.html').mtimeMs;
    await buildPage();
    assert.equal(statSync('build/page/index.html').mtimeMs, before);
  });

  it('are at most 60 KB, gzipped', () => {
    const files = readdirSync('build/page').filter(name => name !== 'stamp');
    const sizes = files.map(name => gzipSync(readFileSync(`build/page/${name}`)).byteLength);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(total <= 60_000, `${total} bytes`);
  });
});

describe('the page at /local/', () => {
  it('is isolated, and lets in models alone from elsewhere', async () => {
    for (const path of ['/local/?model=x', '/local/chat.js', '/local/browser-worker.js']) {
      const { status, headers } = await get(path);
      assert.equal(status, 200, path);
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
      assert.equal(headers.get('cross-origin-embedder-policy'), 'require-corp');
      const policy = (headers.get('content-security-policy') ?? '').split('; ');
      assert.equal(policy[0], "default-src 'none'");
      assert.ok(policy.includes("script-src 'self' 'wasm-unsafe-eval'"));
      assert.ok(policy.includes("connect-src 'self' https:"));
    }
  });

  it('is found without its slash', async () => {
    const { status, headers } = await get('/local?model=x');
    assert.deepEqual([status, headers.get('location')], [308, '/local/?model=x']);
  });

  it('is sent again only where it has changed', async () => {
    const first = await get('/local/browser.js', browser);
    assert.equal(first.headers.get('content-encoding'), 'gzip');
    assert.equal(first.headers.get('cache-control'), 'no-cache');
    const again = await get('/local/browser.js', { ...browser, 'if-none-match': first.headers.get('etag')! });
    assert.equal(again.status, 304);
    assert.equal(await again.text(), '');
    assert.match(await (await get('/local/chat.js')).text(), /^import .*load\.js/);
  });

  it('has no other files', async () => {
    for (const name of ['stamp', 'search.html', 'chat.js.gz', '..%2fpage%2findex.html'])
      assert.equal((await get(`/local/${name}`)).status, 404, name);
  });

  it('is where a model of the catalog runs that is small and at the hub', () => {
    const link = (source: ModelEntry['source'], env = {}) => localLink({ entry: { source } }, env);
    const small = { catalog: 'smollm2-135m' };
    const at = new URL(link(small) ?? '', 'http://here');
    assert.equal(at.pathname, '/local/');
    const model = at.searchParams.get('model');
    assert.match(model ?? '', /^https:\/\/huggingface\.co\/QuantFactory\/SmolLM2.*\/resolve\/.*\.gguf$/);
    assert.match(at.searchParams.get('sha256') ?? '', /^[0-9a-f]{64}$/);
    assert.match(link(small, { HF_ENDPOINT: 'http://mirror:1/' }) ?? '', /model=http%3A%2F%2Fmirror%3A1%2FQuant/);
    assert.equal(link({ path: '/models/own.gguf' }), null);
    assert.equal(link({ catalog: '/models/own.gguf' }), null);
    assert.equal(localLink({ entry: {} }), null);
  });
});
