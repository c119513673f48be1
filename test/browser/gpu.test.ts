/** The engine of a page on WebGPU: the bytes of Node on the CPU. SwiftShader is the GPU. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bundle } from '../../scripts/bundle.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type * as Library from '../../src/browser.ts';
import { loadModel } from '../../src/index.ts';
import { executable, type OpenPage, openPage, rounded } from './page.ts';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('a page with WebGPU', { skip, timeout: 200_000 }, () => {
  let folder: string;
  let model: string;
  let files: Record<string, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-page-gpu-'));
    await bundle(folder);
    model = join(folder, 'model.gguf');
    writeSynthetic(model, { quant: 'Q8_0' });
    files = { '/model.gguf': model };
    for (const name of ['browser.js', 'browser-worker.js']) files[`/${name}`] = join(folder, name);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Answers, greedy and sampled, of a model in the page that is loaded with `device`. */
  const answersIn = ({ page }: OpenPage, device: 'auto' | 'gpu' | 'gpu:7') =>
    page.evaluate(
      async ({ device, asked }) => {
        const url = '/browser.js';
        const { loadModel }: typeof Library = await import(url);
        try {
          const model = await loadModel(new URL('/model.gguf', location.href), { context: 256, device });
          const answers = await Promise.all(asked.map(([prompt, options]) => model.generate(prompt, options)));
          await model.close();
          return { answers: answers.map(({ text, logprobs }) => ({ text, logprobs })), backend: model.info.backend };
        } catch (error) {
          const { code, message } = error as Library.RealmError;
          return { refused: `${code}: ${message}`, backend: '', answers: [] };
        }
      },
      { device, asked },
    );

  it('says what Node says on the CPU', async t => {
    const open = await openPage(files, { gpu: true });
    t.after(() => open.close());
    const { answers, backend, refused } = await answersIn(open, 'gpu');
    assert.equal(refused, undefined);
    assert.match(backend, /^webgpu .*numerics: exact$/);
    await using here = await loadModel(model, { context: 256, device: 'cpu', threads: 1 });
    for (const [i, [prompt, options]] of asked.entries()) {
      const { text, logprobs } = await here.generate(prompt, options);
      assert.deepEqual(rounded(answers[i]!), rounded({ text, logprobs }));
    }
    assert.match((await answersIn(open, 'gpu:7')).refused ?? '', /^kernel_unavailable: no GPU 7/);
    // SwiftShader is no GPU that anybody wants.
    assert.match((await answersIn(open, 'auto')).backend, /^wasm/);
  });

  it('is refused where there is no GPU', async t => {
    const open = await openPage(files);
    t.after(() => open.close());
    assert.match((await answersIn(open, 'gpu')).refused ?? '', /^kernel_unavailable: no GPU: WebGPU finds none/);
  });
});

const asked = [
  ['Once upon a time', { maxTokens: 6, temperature: 0, logprobs: 2 }],
  ['The capital of France is a large city', { maxTokens: 6, temperature: 0.8, seed: 5 }],
] satisfies [string, Library.GenerateOptions][];
