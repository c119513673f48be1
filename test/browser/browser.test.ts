/** The library in a page: what Node says, a browser says too, to the last bit. */
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bundle } from '../../scripts/bundle.ts';
import type * as Library from '../../src/browser.ts';
import { loadModel } from '../../src/index.ts';
import { executable, type OpenPage, openPage, rounded } from './page.ts';

const model = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
/** A static folder: the library's two files beside each other. */
const filesOf = (folder: string) => ({
  '/browser.js': join(folder, 'browser.js'),
  '/browser-worker.js': join(folder, 'browser-worker.js'),
  '/model.gguf': model,
});
const prompt = 'What is the capital of France?';
const text = 'Grüße, 世界! <|im_start|> def f(x):\n  return 3';

/** In CI it must not be left out. */
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

describe('a page', { skip }, () => {
  let folder: string;
  let open: OpenPage;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-browser-'));
    await bundle(folder);
    open = await openPage(filesOf(folder));
  });
  after(async () => {
    await open?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers from a Blob as Node does, in a worker without shared memory', async () => {
    const options = { temperature: 0, maxTokens: 12, logprobs: 2 };
    const loading = { context: 512, system: 'Answer the question.' };
    const there = await open.page.evaluate(
      async ({ prompt, text, options, loading }) => {
        const url = '/browser.js';
        const { loadModel }: typeof Library = await import(url);
        const blob = await (await fetch('/model.gguf')).blob();
        const warnings: string[] = [];
        const model = await loadModel(new File([blob], 'SmolLM2.gguf'), {
          ...loading,
          onWarning: warning => warnings.push(warning),
        });
        const tokens = model.tokenize(text);
        let streamed = '';
        let turns = 0;
        const ticking = setInterval(() => turns++, 10);
        const answer = model.chat(prompt, options);
        for await (const chunk of answer) streamed += chunk.text;
        clearInterval(ticking);
        const said = { streamed, answer: await answer, turns };
        const result = { tokens, ...said, info: model.info, warnings, isolated: crossOriginIsolated };
        await model.close();
        return result;
      },
      { prompt, text, options, loading },
    );
    await using here = await loadModel(await openAsBlob(model), { ...loading, threads: 1 });
    const answer = await here.chat(prompt, options);
    assert.match(answer.text, /Paris/);
    assert.deepEqual(rounded(there.answer), rounded(answer));
    assert.equal(there.streamed, answer.text);
    assert.deepEqual(there.tokens, here.tokenize(text));
    assert.equal(there.isolated, false);
    assert.equal(there.info.id, 'SmolLM2');
    assert.match(there.info.backend, /^wasm .*1 threads/);
    assert.match(there.warnings.join(), /not cross-origin isolated/);
    assert.ok(there.turns > 5, `the page had ${there.turns} turns`);
  });

  it('ends an answer that is cancelled in the middle of its prompt, and goes on', async () => {
    const result = await open.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const model = await loadModel(new URL('/model.gguf', location.href), { context: 1024 });
      const options = { temperature: 0, maxTokens: 4 };
      const code = await model.generate('word '.repeat(900), { ...options, signal: AbortSignal.timeout(20) }).then(
        () => 'answered',
        error => error.code,
      );
      const { text } = await model.generate('The capital of France is', options);
      const { running } = await model.stats();
      await model.close();
      return { code, text, running };
    });
    assert.equal(result.code, 'request_cancelled');
    assert.match(result.text, /Paris/);
    assert.equal(result.running, 0);
  });

  it('opens a URL with ranges, and refuses a path', async () => {
    const result = await open.page.evaluate(async () => {
      const url = '/browser.js';
      const { loadModel }: typeof Library = await import(url);
      const path = await loadModel('model.gguf').catch(error => error.code);
      const model = await loadModel(new URL('/model.gguf', location.href), { context: 64 });
      const { text } = await model.generate('The capital of France is', { temperature: 0, maxTokens: 4 });
      const session = await model.generate('a', { session: 'mine' }).then(
        () => 'none',
        error => error.code,
      );
      return { path, text, session };
    });
    assert.equal(result.path, 'model_file_missing');
    assert.match(result.text, /Paris/);
    assert.equal(result.session, 'invalid_request');
  });
});
