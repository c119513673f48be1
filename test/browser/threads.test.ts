/** A page that is cross-origin isolated: threads, which give the bytes of Node and of a page without them, and end. */
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle } from '../../scripts/bundle.ts';
import type * as Library from '../../src/browser.ts';
import { loadModel } from '../../src/index.ts';
import { executable, type OpenPage, openPage, rounded } from './page.ts';

const model = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('threads in a page', { skip }, () => {
  let folder: string;
  let isolated: OpenPage;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-threads-'));
    await bundle(folder);
    const paths = ['browser.js', 'browser-worker.js'].map(file => [`/${file}`, join(folder, file)] as const);
    isolated = await openPage({ ...Object.fromEntries(paths), '/model.gguf': model }, { isolated: true });
  });
  after(async () => {
    await isolated?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Workers of the page, when as many have been asked for as `wanted` or five seconds have passed. */
  async function workers(wanted: number): Promise<number> {
    for (let i = 0; i < 50 && isolated.page.workers().length !== wanted; i++) await sleep(100);
    return isolated.page.workers().length;
  }

  it('say the bytes of Node with two threads, while the page goes on', async () => {
    const options = { temperature: 0, maxTokens: 16, logprobs: 2, constraint: { regex: '[A-Z][a-z ]{60}' } };
    const there = await isolated.page.evaluate(async options => {
      const url = '/browser.js';
      const { loadModel, features }: typeof Library = await import(url);
      const blob = await (await fetch('/model.gguf')).blob();
      const model = await loadModel(new File([blob], 'SmolLM2.gguf'), { context: 512, threads: 2 });
      let turns = 0;
      const ticking = setInterval(() => turns++, 10);
      const answer = await model.chat('What is the capital of France?', options);
      clearInterval(ticking);
      const result = {
        answer,
        turns,
        backend: model.info.backend,
        features: features(),
        isolated: crossOriginIsolated,
      };
      await model.close();
      return result;
    }, options);
    assert.equal(there.isolated, true);
    assert.equal(there.features.sharedMemory, true);
    assert.match(there.backend, /^wasm .*2 threads/);
    assert.ok(there.turns > 5, `the page had ${there.turns} turns`);
    await using here = await loadModel(await openAsBlob(model), { context: 512, threads: 2 });
    const answer = await here.chat('What is the capital of France?', options);
    assert.deepEqual(rounded(there.answer), rounded(answer));
  });

  it('end with the model', async () => {
    assert.equal(await workers(0), 0);
  });

  it('end with an error where one of them fails', async () => {
    const asked = isolated.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const model = await loadModel(new URL('/model.gguf', location.href), { context: 4096, threads: 2 });
      let code = '';
      try {
        const answer = model.generate('Once upon a time', { temperature: 0, maxTokens: 4000 });
        for await (const { text } of answer) document.title = text || 'begun';
      } catch (error) {
        const { code: name, message } = error as Library.RealmError;
        code = `${name}: ${message}`;
      }
      const later = await model.generate('a').then(
        () => 'answered',
        error => error.code,
      );
      await model.close();
      return { code, later };
    });
    await isolated.page.waitForFunction(() => document.title !== 'Realm');
    // The engine, and one beside it.
    assert.equal(await workers(2), 2);
    const [engine] = isolated.page.workers();
    await engine!.evaluate(() => void setTimeout(() => Promise.reject(new Error('on purpose'))));
    const { code, later } = await asked;
    assert.match(code, /^engine_failed: .*on purpose/);
    assert.equal(later, 'engine_failed');
    assert.equal(await workers(0), 0);
  });

  it('are missed by name where their file is not there', async () => {
    const error = await isolated.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const source = new URL('/model.gguf', location.href);
      return loadModel(source, { context: 64, worker: '/elsewhere.js' }).then(
        () => 'loaded',
        ({ code, message }) => `${code}: ${message}`,
      );
    });
    assert.match(error, /^engine_failed: .*browser-worker\.js/);
  });

  it('are refused to a browser that lacks something, by its name', async () => {
    const error = await isolated.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const kept = RegExp.escape;
      Reflect.deleteProperty(RegExp, 'escape');
      const refused = await loadModel(new Blob([])).then(
        () => 'loaded',
        ({ code, message }) => `${code}: ${message}`,
      );
      RegExp.escape = kept;
      return refused;
    });
    assert.match(error, /^kernel_unavailable: this browser has no RegExp\.escape: use /);
  });

  it('are not needed', async () => {
    const there = await isolated.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const model = await loadModel(new URL('/model.gguf', location.href), { context: 64, worker: false });
      const { text } = await model.generate('The capital of France is', { temperature: 0, maxTokens: 4 });
      await model.close();
      return { text, backend: model.info.backend };
    });
    assert.match(there.text, /Paris/);
    assert.match(there.backend, /1 threads/);
    assert.equal(await workers(0), 0);
  });
});
