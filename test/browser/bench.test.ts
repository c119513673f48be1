/** `bench.html`, small: its answer is right, and it has numbers. How large they are is not tested. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bundle } from '../../scripts/bundle.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { loadModel } from '../../src/index.ts';
import type { BenchReport } from '../../src/library/bench/page.ts';
import { executable, type OpenPage, openPage } from './page.ts';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

type Left = BenchReport & { readonly error?: string };

describe('bench.html', { skip }, () => {
  let folder: string;
  let model: string;
  let files: Record<string, string>;
  let open: OpenPage;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-bench-page-'));
    await bundle(folder);
    model = join(folder, 'model.gguf');
    writeSynthetic(model);
    files = { '/model.gguf': model };
    for (const name of ['bench.html', 'bench.js', 'browser.js', 'browser-worker.js']) {
      files[`/${name}`] = join(folder, name);
    }
    open = await openPage(files);
  });
  after(async () => {
    await open?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function left(query: string, { page } = open): Promise<Left> {
    await page.goto(new URL(`/bench.html?${query}`, page.url()).href);
    const found = () => (globalThis as unknown as { realmBench?: Left }).realmBench;
    const report = await page.waitForFunction(found, undefined, { timeout: 150_000 });
    return report.jsonValue() as Promise<Left>;
  }

  function assertMeasured({ pp, tg, error }: Left): void {
    assert.equal(error, undefined);
    assert.ok(pp > 0 && Number.isFinite(pp), `pp ${pp}`);
    assert.ok(tg > 0 && Number.isFinite(tg), `tg ${tg}`);
  }

  /** What Node says in the last of so many rounds. */
  async function expected(round: number, maxTokens: number): Promise<string> {
    await using here = await loadModel(model, { context: 256, device: 'cpu', threads: 1 });
    const logitBias = new Map([0, 1, 2].map(token => [token, -100]));
    return (await here.generate(`${round} Once upon a time`, { maxTokens, temperature: 0, logitBias })).text;
  }

  it('measures, and its answer is that of Node', async () => {
    const report = await left('model=model.gguf&backend=wasm&prompt=8&gen=4&rounds=2');
    assertMeasured(report);
    assert.equal(report.backend, 'wasm');
    assert.match(report.adapter, /threads$/);
    assert.equal(report.text, await expected(2, 4));
    assert.match((await open.page.getByRole('status').textContent()) ?? '', /"tg": /);
  });

  it('measures a GPU, with the same answer', async t => {
    const gpu = await openPage(files, { gpu: true });
    t.after(() => gpu.close());
    const report = await left('model=model.gguf&backend=webgpu&prompt=8&gen=2&rounds=1', gpu);
    assertMeasured(report);
    assert.equal(report.backend, 'webgpu');
    assert.match(report.adapter, /swiftshader/);
    assert.equal(report.text, await expected(1, 2));
  });

  const refused = {
    'backend=wasm': /^invalid_request: model: which/,
    'model=model.gguf&backend=cuda': /^invalid_request: backend: cuda is none; use webgpu or wasm/,
    'model=model.gguf&gen=1': /^invalid_request: gen: must be an integer from 2/,
    'model=none.gguf': /^download_failed: /,
    'model=model.gguf&backend=webgpu': /^kernel_unavailable: no GPU/,
  };
  for (const [query, reason] of Object.entries(refused)) {
    it(`leaves an error, and shows it: ${query}`, async () => {
      const { error = '' } = await left(query);
      assert.match(error, reason);
      assert.equal(await open.page.getByRole('status').textContent(), error);
    });
  }
});
