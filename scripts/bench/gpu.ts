/**
 * `npm run bench:gpu -- FOLDER [MODEL...]`: all that a machine with a GPU is wanted for, in one run of at most ten minutes.
 * Writes into FOLDER: `doctor.json` (adapters, self-test of every kernel), `parity.txt` (the suite that every backend
 * passes), `bench.json` (tokens a second, time of each kernel, share of the device's bandwidth, dispatches a layer), and
 * `llama.json` where LLAMA_CPP_BIN names a folder with `llama-bench`. Without models it makes a small one.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { createWebGpuBackend, type WebGpuBackend } from '../../src/backend/webgpu/backend.ts';
import { bench, maxBatchedTokens, tokensNeeded, type Work } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { llamaBench } from './peers.ts';

interface Options {
  readonly gpu: number;
  readonly reps: number;
  readonly batch: string;
  readonly depth: string;
  readonly bandwidth?: number;
  readonly parity: boolean;
}

const program = new Command('bench:gpu')
  .argument('<folder>', 'where the results go')
  .argument('[models...]', 'GGUF files or catalog names (default: smollm2-135m)')
  .option('--gpu <n>', 'which GPU, the fastest is 0', Number, 0)
  .option('--reps <n>', 'repetitions', Number, 3)
  .option('--batch <n,...>', 'sequences at once', '8,32')
  .option('--depth <n,...>', 'tokens in the cache before generation', '0,3900')
  .option('--bandwidth <GB/s>', "of the device's memory, as its maker says: its share is printed then", Number)
  .option('--no-parity', 'leave the suite out')
  .action(run);

async function run(folder: string, models: readonly string[], options: Options): Promise<void> {
  await mkdir(folder, { recursive: true });
  const save = (name: string, value: unknown) =>
    writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value, null, 1));
  const doctor = spawnSync(process.execPath, ['src/cli/main.ts', 'doctor', '--json'], { encoding: 'utf8' });
  await save('doctor.json', doctor.stdout || doctor.stderr);
  const reports = [];
  for (const name of models.length > 0 ? models : ['smollm2-135m']) {
    const { path } = await resolveModel(name);
    reports.push(await measure(path, options));
    await save('bench.json', reports);
    if (process.env.LLAMA_CPP_BIN) await save(`llama-${basename(path)}.json`, await peer(path, options));
  }
  console.log(JSON.stringify(reports, null, 1));
  if (!options.parity) return;
  const files = globSync('src/backend/webgpu/**/*.test.ts');
  const suite = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], { encoding: 'utf8' });
  await save('parity.txt', suite.stdout + suite.stderr);
  console.log(
    suite.stdout
      .split('\n')
      .filter(line => line.startsWith('ℹ'))
      .join('\n'),
  );
}

const numbers = (text: string): number[] => text.split(',').map(Number);

async function measure(path: string, options: Options) {
  const work: Work = {
    ...{ prompt: 512, gen: 64, reps: options.reps },
    batches: numbers(options.batch),
    depths: numbers(options.depth),
  };
  const { backend, model } = await open(path, work, options.gpu);
  try {
    const results = await bench(model, work);
    const weights = backend.memory().weights;
    const decode = results.find(({ test }) => test === `tg${work.gen}`)?.tokensPerSecond.max ?? 0;
    return {
      ...{ model: basename(path), backend: backend.name, results, weights },
      // Decoding reads all weights once a token.
      readGBs: (decode * weights) / 1e9,
      ...(options.bandwidth && { share: (decode * weights) / 1e9 / options.bandwidth }),
      dispatchesPerLayer: await dispatches(backend, model),
      kernels: await kernelTimes(backend, model),
    };
  } finally {
    await model.close();
  }
}

async function open(path: string, work: Work, gpu: number): Promise<{ backend: WebGpuBackend; model: Model }> {
  const file = await openGguf(path);
  try {
    const backend = await createWebGpuBackend({ gpu });
    const sizes = { maxBatchTokens: maxBatchedTokens, maxOutputs: Math.max(...work.batches) };
    return { backend, model: await loadModel(file, backend, { kvTokens: tokensNeeded(work), ...sizes }) };
  } finally {
    await file.close();
  }
}

/** One token, and nothing else. */
const single: Work = { prompt: 0, gen: 1, batches: [], depths: [0], reps: 1 };

/** Of a step that decodes one token, those at both ends included. */
async function dispatches(backend: WebGpuBackend, model: Model): Promise<number> {
  const one = async (): Promise<number> => {
    const before = backend.dispatches;
    await bench(model, single, undefined, 0);
    return backend.dispatches - before;
  };
  // The first one may reserve buffers.
  await one();
  return (await one()) / 2 / model.layers;
}

/** Of eight tokens, and of a prompt of 512: microseconds, the longest first. */
async function kernelTimes(backend: WebGpuBackend, model: Model) {
  const decode = backend.time();
  if (!decode) return 'this device has no timestamps';
  for (let i = 0; i < 4; i++) await bench(model, single, undefined, 0);
  const decoding = await decode.collect();
  const prefill = backend.time()!;
  await bench(model, { ...single, prompt: 512, gen: 0 }, undefined, 0);
  return { decoding, prompt: await prefill.collect() };
}

async function peer(path: string, { batch, depth }: Options) {
  const [several = 1] = numbers(batch);
  const work = { prompt: 512, gen: 64, batch: several, depths: numbers(depth), threads: 4 };
  return llamaBench(process.env.LLAMA_CPP_BIN!).measure(path, work);
}

await program.parseAsync();
// Dawn's own threads hold nobody back, but a device that is being closed may.
process.exit();
