/** Programs in a page: the same bytes and the same fuel as in Node, the same limits, and a page that goes on meanwhile. */
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle } from '../../scripts/bundle.ts';
import type * as Library from '../../src/browser.ts';
import {
  loadModel,
  loadProgram,
  type Model,
  type ProgramInput,
  type RunAnswer,
  type RunOptions,
} from '../../src/index.ts';
import { readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import { compiled } from '../guest/compiled.ts';
import { passOn, program, streamTokens, wasm } from '../sandbox/helpers.ts';
import { codesOf, sequenceProgram } from '../sandbox/sequence-program.ts';
import { executable, type OpenPage, openPage } from './page.ts';

const path = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
/** Sampling of requests that do not say. */
const loading = { context: 512, sampling: { temperature: 0 } };
const skip = executable || process.env.CI ? false : 'there is no Chromium: install Debian’s package, or set CHROMIUM';

const forever = program('(loop $l (br $l)) (i32.const 0)');
/** Takes page after page, and gives up as compilers do. */
const greedy = program(
  `(loop $l (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then (br $l)))) unreachable`,
);
const forged = sequenceProgram(
  () => `(call $say (call $seq_length (i32.const 0x01000063))) (call $say (call $seq_free (i32.const 7)))
    (call $say (call $seq_length (i32.const -1))) (call $say (call $constraint_free (i32.const 0x02000001)))`,
);
const asks = sequenceProgram(texts => {
  const [name, input] = [texts.at('add'), texts.at('{"a":2,"b":3}')];
  return `(local.set $n (call $tool ${name} ${input} (i32.const 16384) (i32.const 4096)))
    (call $say (local.get $n))
    (if (i32.gt_s (local.get $n) (i32.const 0))
      (then (drop (call $emit (i32.const 0) (i32.const 16384) (local.get $n)))))`;
});

const programs: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
  shout: () => readBuiltinProgram('shout'),
  'best-of-n': () => compiled('assembly', 'best-of-n'),
  'json-repair': () => compiled('assembly', 'json-repair'),
  watermark: () => compiled('assembly', 'watermark'),
  'prefix-cache': () => compiled('assembly', 'prefix-cache'),
  pass: () => program(`${passOn} (i32.const 0)`, streamTokens),
  trap: () => program('(drop (i32.div_u (i32.const 1) (i32.const 0))) (i32.const 0)'),
  invalid: () => wasm('(module (memory (export "memory") 1))'),
  ...{ forever: () => forever, greedy: () => greedy, forged: () => forged, asks: () => asks },
};

interface Ran {
  readonly answer?: RunAnswer;
  readonly chunks: readonly Library.RunChunk[];
  readonly code?: string;
  readonly message: string;
  /** How often the page's timer went off meanwhile. */
  readonly ticks: number;
}

/** What a test hands to the page. */
type Handed = Omit<RunOptions, 'tools' | 'signal' | 'onLog'> & { readonly adds?: boolean };

describe('programs in a page', { skip }, () => {
  let folder: string;
  let open: OpenPage;
  let here: Model;
  const bytes = new Map<string, Uint8Array>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-programs-'));
    await bundle(folder);
    const files: Record<string, string> = { '/model.gguf': path };
    for (const name of ['browser.js', 'browser-worker.js', 'guest-worker.js']) files[`/${name}`] = join(folder, name);
    for (const [name, make] of Object.entries(programs)) {
      bytes.set(name, await make());
      files[`/${name}.wasm`] = join(folder, `${name}.wasm`);
      await writeFile(join(folder, `${name}.wasm`), bytes.get(name)!);
    }
    open = await openPage(files);
    await open.page.evaluate(async loading => {
      const url = '/browser.js';
      const library: typeof Library = await import(url);
      const model = await library.loadModel(new URL('/model.gguf', location.href), loading);
      Object.assign(globalThis, { realm: { library, model } });
    }, loading);
    // A path would bring what the catalog recommends.
    here = await loadModel(await openAsBlob(path), { ...loading, threads: 1 });
  });
  after(async () => {
    await here?.close();
    await open?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const inPage = (name: string, input: ProgramInput, options: Handed = {}): Promise<Ran> =>
    open.page.evaluate(
      async ({ name, input, options: { adds, ...options } }): Promise<Ran> => {
        const { library, model } = (globalThis as unknown as { realm: { library: typeof Library; model: Model } })
          .realm;
        const chunks: Library.RunChunk[] = [];
        let ticks = 0;
        const timer = setInterval(() => ticks++, 10);
        const add = async (args: unknown) => (args as { a: number; b: number }).a + (args as { b: number }).b;
        try {
          const program = await library.loadProgram(new URL(`/${name}.wasm`, location.href));
          const run = model.run(program, input, { ...options, ...(adds && { tools: { add } }) });
          for await (const chunk of run) chunks.push(chunk);
          return { answer: await run, chunks, message: '', ticks };
        } catch (error) {
          const { code, message } = error as Library.RealmError;
          return { code, message, chunks, ticks };
        } finally {
          clearInterval(timer);
        }
      },
      { name, input, options },
    );

  const inNode = async (name: string, input: ProgramInput, options: RunOptions = {}): Promise<RunAnswer> =>
    here.run(await loadProgram(bytes.get(name)!), input, options);

  const same: readonly [name: string, input: ProgramInput, options: Handed][] = [
    ['shout', 'What is the capital of France?', { maxTokens: 8 }],
    ['best-of-n', 'Name a colour.', { temperature: 1, seed: 5, maxTokens: 4 }],
    ['json-repair', 'Give me a JSON list with the numbers 1 and 2.', { temperature: 0, maxTokens: 16 }],
    ['watermark', 'Name a colour.', { temperature: 1, seed: 7, maxTokens: 6 }],
    ['watermark', { input: { text: 'Blue is a colour.' } }, {}],
    [
      'prefix-cache',
      { input: { document: 'Ada wrote the first program.', question: 'Who?' } },
      { temperature: 1, seed: 1, maxTokens: 6 },
    ],
    [
      'prefix-cache',
      { input: { document: 'Ada wrote the first program.', question: 'What?' } },
      { temperature: 1, seed: 1, maxTokens: 6 },
    ],
    ['pass', { prompt: 'The capital of France is' }, { temperature: 0, maxTokens: 3 }],
  ];
  for (const [name, input, options] of same) {
    it(`say the same as in Node, with the same fuel: ${name} ${JSON.stringify(input)}`, async () => {
      const { answer, chunks, message } = await inPage(name, input, options);
      assert.ok(answer, message);
      assert.deepEqual(answer, await inNode(name, input, options));
      assert.ok(answer.fuel > 0 && answer.memory > 0);
      assert.equal(chunks.map(chunk => (chunk.kind === 'text' ? chunk.text : '')).join(''), answer.text);
    });
  }

  it('run beside each other', async () => {
    const asked: readonly (typeof same)[number][] = [same[1]!, same[3]!];
    const both = await Promise.all(asked.map(each => inPage(...each)));
    for (const [i, { answer, message }] of both.entries()) {
      assert.ok(answer, message);
      const [name, input, options] = asked[i]!;
      const { text, fuel } = await inNode(name, input, options);
      assert.deepEqual([answer.text, answer.fuel], [text, fuel]);
    }
  });

  it('that loop for ever end with their fuel or their time, and the page goes on', async () => {
    const [spent, late] = await Promise.all([
      inPage('forever', 'x', { limits: { fuel: 50_000_000 } }),
      inPage('forever', 'x', { limits: { fuel: 1e15, deadlineMs: 1500 } }),
    ]);
    assert.deepEqual(
      [spent.code, late.code],
      ['program_out_of_fuel', 'program_deadline'],
      `${spent.message} ${late.message}`,
    );
    assert.match(spent.message, /used more than 50000000 of fuel/);
    assert.ok(late.ticks >= 10, `the page's timer went off ${late.ticks} times`);
  });

  it('that trap are named', async () => {
    const { code, message } = await inPage('trap', 'x');
    assert.equal(code, 'program_trapped', message);
    assert.match(message, /^Program trap trapped: .*by zero/);
  });

  it('have the memory that they may have, and no more', async () => {
    const { code, message } = await inPage('greedy', 'x', { limits: { memoryMb: 8 } });
    assert.equal(code, 'program_out_of_memory', message);
  });

  it('cannot forge a handle', async () => {
    const { answer, message } = await inPage('forged', 'x');
    assert.deepEqual(codesOf(answer?.text ?? ''), [-10, -10, -10, -10], message);
  });

  it('call the tools that the page gives them, and no others', async () => {
    assert.deepEqual(codesOf((await inPage('asks', 'x')).answer!.text), [-17]);
    assert.equal((await inPage('asks', 'x', { adds: true })).answer!.text, '50');
  });

  it('that are no programs are refused before they run', async () => {
    const { code, message } = await inPage('invalid', 'x');
    assert.equal(code, 'program_invalid', message);
    assert.equal((await inPage('missing', 'x')).code, 'download_failed');
    assert.equal((await inPage('pass', 'x', { limits: { fuel: -1 } })).code, 'invalid_request');
  });

  it('are refused where the browser cannot suspend them', async () => {
    await open.page.evaluate(() => {
      const { Suspending, promising } = WebAssembly as unknown as Record<string, unknown>;
      Object.assign(globalThis, { kept: { Suspending, promising } });
      for (const name of ['Suspending', 'promising']) delete (WebAssembly as unknown as Record<string, unknown>)[name];
    });
    const { code, message } = await inPage('pass', 'x');
    await open.page.evaluate(() => Object.assign(WebAssembly, (globalThis as unknown as { kept: object }).kept));
    assert.equal(code, 'kernel_unavailable');
    assert.match(message, /WebAssembly\.Suspending and WebAssembly\.promising/);
  });

  it('are named by their worker where that cannot be loaded', async () => {
    await open.page.route('**/guest-worker.js', route => route.abort());
    const { code, message } = await inPage('pass', 'x');
    await open.page.unroute('**/guest-worker.js');
    assert.equal(code, 'program_failed', message);
    assert.match(message, /serve guest-worker\.js beside the library's file/);
  });

  it('end with whoever reads them', async () => {
    const { reason, text } = await open.page.evaluate(async () => {
      const { library, model } = (globalThis as unknown as { realm: { library: typeof Library; model: Model } }).realm;
      const program = await library.loadProgram(new URL('/pass.wasm', location.href));
      const run = model.run(program, { prompt: 'One, two,' }, { maxTokens: 200 });
      for await (const _ of run) break;
      const { finishReason, text } = await run;
      return { reason: finishReason, text };
    });
    assert.equal(reason, 'cancelled');
    assert.ok(text.length > 0 && text.length < 100, text);
  });

  it('leave no worker behind', async () => {
    // The browser ends them when it gets to it.
    const guests = () => open.page.workers().filter(worker => worker.url().includes('guest-worker')).length;
    for (let tries = 0; tries < 100 && guests() > 0; tries++) await sleep(100);
    assert.equal(guests(), 0);
  });
});
