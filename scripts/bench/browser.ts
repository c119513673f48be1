/**
 * Realm in a browser beside wllama: `npm run bench:browser -- --wllama FOLDER [MODEL]`, where FOLDER is wllama's package
 * (`npm install @wllama/wllama` somewhere else). Both have the same file in the same page of this machine's Chromium, and take
 * turns, round after round; printed are medians, and ratios of each round's pair.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import type { Page } from 'playwright-core';
import { type Rates as Summary, summary } from '../../src/bench/bench.ts';
import type * as Library from '../../src/browser.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import type * as Measuring from '../../src/library/bench/page.ts';
import type { PageRates, PageWork, Run } from '../../src/library/bench/rates.ts';
import { openPage } from '../../test/browser/page.ts';
import { bundle } from '../bundle.ts';

interface Options {
  readonly wllama?: string;
  readonly threads: number;
  readonly prompt: number;
  readonly gen: number;
  readonly rounds: number;
  readonly json?: boolean;
}

interface Work extends PageWork {
  readonly threads: number;
}

const program = new Command('bench:browser')
  .argument('[model]', 'a GGUF file or a catalog name', 'smollm2-135m')
  .option('--wllama <folder>', "wllama's package; without it Realm alone")
  .option(
    '--threads <n>',
    'threads of each engine; 1: the page is not cross-origin isolated',
    Number,
    availableParallelism(),
  )
  .option('--prompt <n>', 'tokens of the prompt', Number, 512)
  .option('--gen <n>', 'tokens to generate', Number, 64)
  .option('--rounds <n>', 'rounds, after one to warm up', Number, 5)
  .option('--json', 'print JSON')
  .action(compare);

async function compare(model: string, options: Options): Promise<void> {
  const { path } = await resolveModel(model);
  const folder = await mkdtemp(join(tmpdir(), 'realm-bench-browser-'));
  try {
    await bundle(folder);
    const files = { ...(await filesIn(folder, '/realm')), '/model.gguf': path };
    const peer = options.wllama ? await filesIn(join(options.wllama, 'esm'), '/wllama') : {};
    const { page, close } = await openPage({ ...files, ...peer }, { isolated: options.threads > 1 });
    try {
      await measure(page, basename(path), options);
    } finally {
      await close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function filesIn(folder: string, as: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter(each => each.isFile()).map(each => join(each.parentPath, each.name));
  return Object.fromEntries(paths.map(path => [path.replace(folder, as), path]));
}

async function measure(page: Page, model: string, { rounds: count, wllama, json, ...work }: Options): Promise<void> {
  const realm = await page.evaluate(loadRealm, work);
  if (wllama) await page.evaluate(loadWllama, work);
  const names = wllama ? (['realm', 'wllama'] as const) : (['realm'] as const);
  const rounds: PageRates[][] = [];
  for (let round = 0; round <= count; round++) {
    const rates: PageRates[] = [];
    for (const name of names) rates.push(await page.evaluate(measureOne, { ...work, name, round }));
    if (round > 0) rounds.push(rates);
    const said = rates.map(({ prompt, gen }, i) => `${names[i]} ${prompt.toFixed(1)} ${gen.toFixed(1)}`);
    process.stderr.write(`round ${round} of ${count}: ${said.join(', ')}\n`);
  }
  const tests = (['prompt', 'gen'] as const).map(test => ({
    test: test === 'prompt' ? `pp${work.prompt}` : `tg${work.gen}`,
    realm: summary(rounds.map(([own]) => own![test])),
    ...(wllama && {
      wllama: summary(rounds.map(([, other]) => other![test])),
      ratio: summary(rounds.map(([own, other]) => own![test] / other![test])),
    }),
  }));
  const browser = await page.evaluate(() => navigator.userAgent);
  const report = { model, machine: cpus()[0]?.model, browser, ...realm, tests };
  if (json) return console.log(JSON.stringify(report, undefined, 2));
  console.log(`${model}; ${report.machine}; ${browser}; ${realm.backend}, loaded in ${Math.round(realm.loadMs)} ms\n`);
  const rows = tests.map(({ test, ...values }) => [test, ...Object.values(values).map(shown)]);
  console.log(table([['test', ...names, ...(wllama ? ['ratio'] : [])], ...rows]));
}

const shown = ({ median, min, max }: Summary): string => `${median.toFixed(1)} (${min.toFixed(1)}..${max.toFixed(1)})`;

/** What the page keeps of the engines. */
type Engines = typeof globalThis & { realm: Run; wllama: Run };

// The functions below run in the page: they know nothing of this file.

async function loadRealm({ threads, ...work }: Work) {
  const [library, measuring] = ['/realm/browser.js', '/realm/bench.js'];
  const { loadModel }: typeof Library = await import(library);
  const { loadRun }: typeof Measuring = await import(measuring);
  const file = await (await fetch('/model.gguf')).blob();
  const start = performance.now();
  const { model, run } = await loadRun(loadModel, file, work, { threads, device: 'cpu' });
  const loadMs = performance.now() - start;
  (globalThis as Engines).realm = run;
  return { backend: model.info.backend, loadMs };
}

async function loadWllama({ threads, prompt, gen }: Work) {
  const url = '/wllama/index.js';
  const { Wllama } = await import(url);
  const quiet = { debug() {}, log() {}, warn() {}, error() {} };
  const wllama = new Wllama({ default: '/wllama/wasm/wllama.wasm' }, { logger: quiet, suppressNativeLog: true });
  const file = await (await fetch('/model.gguf')).blob();
  await wllama.loadModel([file], { n_threads: threads, n_ctx: prompt + gen + 64, n_batch: 512, n_gpu_layers: 0 });
  const logit_bias = { 0: -100, 1: -100, 2: -100 };
  (globalThis as Engines).wllama = async (text, max_tokens) => {
    const start = performance.now();
    let [first, promptTokens] = [0, 0];
    const options = { prompt: text, max_tokens, temperature: 0, logit_bias, cache_prompt: false, stream: true };
    for await (const chunk of await wllama.createCompletion(options)) {
      first ||= performance.now() - start;
      promptTokens = chunk.usage?.prompt_tokens ?? chunk.timings?.prompt_n ?? promptTokens;
    }
    return { first, last: performance.now() - start, promptTokens };
  };
}

async function measureOne({ name, round, ...work }: Work & { name: 'realm' | 'wllama'; round: number }) {
  const url = '/realm/bench.js';
  const { ratesOf }: typeof Measuring = await import(url);
  return ratesOf((globalThis as Engines)[name], work, round);
}

await program.parseAsync();
