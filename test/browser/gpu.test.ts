/** The engine of a page on WebGPU: the bytes of Node on the CPU. SwiftShader is the GPU. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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

/** Scripts that a worker has beneath the library's. */
const beneath = {
  /** The page can have the device destroyed. */
  losing: `const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...asked) {
      const device = await requestDevice.apply(this, asked);
      new BroadcastChannel('lose').onmessage = () => device.destroy();
      return device;
    };`,
  /** An adapter that gives no device. */
  broken: `const adapter = {
      info: { vendor: 'acme', isFallbackAdapter: false },
      limits: {},
      features: new Set(),
      requestDevice: async () => { throw new DOMException('no more of them', 'OperationError'); },
    };
    const gpu = { requestAdapter: async () => adapter, wgslLanguageFeatures: new Set() };
    Object.defineProperty(navigator, 'gpu', { value: gpu });`,
};

describe('a page with WebGPU', { skip }, () => {
  let folder: string;
  let model: string;
  let files: Record<string, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-page-gpu-'));
    await bundle(folder);
    model = join(folder, 'model.gguf');
    writeSynthetic(model, { quant: 'Q8_0' });
    files = { '/model.gguf': model };
    for (const [name, script] of Object.entries(beneath)) {
      await writeFile(join(folder, `${name}.js`), script);
      await writeFile(join(folder, `${name}-worker.js`), `import './${name}.js'; import './browser-worker.js';`);
    }
    const scripts = Object.keys(beneath).flatMap(name => [`${name}.js`, `${name}-worker.js`]);
    for (const name of ['browser.js', 'browser-worker.js', ...scripts]) files[`/${name}`] = join(folder, name);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Answers, greedy and sampled, of a model in the page; then its device is lost. */
  const answersIn = ({ page }: OpenPage, device: 'auto' | 'gpu' | 'gpu:7', worker: keyof typeof beneath = 'losing') =>
    page.evaluate(
      async ({ device, worker, asked }) => {
        const [url, script] = ['/browser.js', `/${worker}.js`];
        const { loadModel }: typeof Library = await import(url);
        // The page looks for a GPU too.
        if (worker === 'broken') await import(script);
        const warnings: string[] = [];
        const nothing = { backend: '', answers: [], warnings, lost: '', refused: '' };
        try {
          const model = await loadModel(new URL('/model.gguf', location.href), {
            ...{ context: 256, device, worker: `/${worker}-worker.js` },
            onWarning: warning => warnings.push(warning),
          });
          const answers = await Promise.all(asked.map(([prompt, options]) => model.generate(prompt, options)));
          const said = answers.map(({ text, logprobs }) => ({ text, logprobs }));
          new BroadcastChannel('lose').postMessage('now');
          const lost = model.info.onGpu
            ? await model.generate('On and on').then(
                () => undefined,
                error => error,
              )
            : undefined;
          await model.close();
          return { ...nothing, answers: said, backend: model.info.backend, lost: `${lost?.code}: ${lost?.message}` };
        } catch (error) {
          const { code, message } = error as Library.RealmError;
          return { ...nothing, refused: `${code}: ${message}` };
        }
      },
      { device, worker, asked },
    );

  it('says what Node says on the CPU, until the device is lost', async t => {
    const open = await openPage(files, { gpu: true });
    t.after(() => open.close());
    const { answers, backend, refused, lost } = await answersIn(open, 'gpu');
    assert.equal(refused, '');
    assert.match(backend, /^webgpu .*numerics: exact$/);
    await using here = await loadModel(model, { context: 256, device: 'cpu', threads: 1 });
    for (const [i, [prompt, options]] of asked.entries()) {
      const { text, logprobs } = await here.generate(prompt, options);
      assert.deepEqual(rounded(answers[i]!), rounded({ text, logprobs }));
    }
    assert.match(lost, /^engine_failed: .*the GPU (was lost|answers no more)/);
    assert.match((await answersIn(open, 'gpu:7')).refused, /^kernel_unavailable: no GPU 7/);
    // SwiftShader is no GPU that anybody wants.
    assert.match((await answersIn(open, 'auto')).backend, /^wasm/);
  });

  it('is refused where there is no GPU, or one that gives no device', async t => {
    const open = await openPage(files);
    t.after(() => open.close());
    assert.match((await answersIn(open, 'gpu')).refused, /^kernel_unavailable: no GPU: WebGPU finds none/);
    assert.match((await answersIn(open, 'gpu', 'broken')).refused, /^kernel_unavailable: .*acme .*no more of them/);
    const { backend, warnings } = await answersIn(open, 'auto', 'broken');
    assert.match(backend, /^wasm/);
    assert.match(warnings.join(), /runs on the CPU, not on the GPU: .*acme .*no more of them/);
  });
});

const asked = [
  ['Once upon a time', { maxTokens: 6, temperature: 0, logprobs: 2 }],
  ['The capital of France is a large city', { maxTokens: 6, temperature: 0.8, seed: 5 }],
] satisfies [string, Library.GenerateOptions][];
