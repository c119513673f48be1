import { availableParallelism, cpus } from 'node:os';
import type { Command } from 'commander';
import type { Backend } from '../backend/backend.ts';
import type { DeviceChoice } from '../backend/device.ts';
import type { Result } from '../bench/bench.ts';
import type { GgufFile } from '../gguf/types.ts';
import { device, gpuLayers, threads, wholeNumber } from './options.ts';
import { print, printJson, remark, table } from './output.ts';

interface Options {
  readonly model?: string;
  readonly prompt: number;
  readonly gen: number;
  readonly batch: readonly number[];
  readonly depth: readonly number[];
  readonly threads?: number;
  readonly device?: DeviceChoice;
  readonly gpuLayers?: number;
  readonly reps: number;
  readonly variant?: string;
  readonly json?: boolean;
}

const tokens = wholeNumber(0, 1 << 20);

export function addBench(realm: Command): void {
  realm
    .command('bench')
    .description(
      'Measure a model on this machine: prompt processing, generation, generation at a depth and in a batch.',
    )
    .option('-m, --model <name|file>', 'a catalog name or a GGUF file (default: smollm2-135m)')
    .option('--prompt <n>', 'tokens of the prompt', tokens, 512)
    .option('--gen <n>', 'tokens to generate', tokens, 64)
    .option('--batch <n,...>', 'sequences that generate at once', list, [8])
    .option('--depth <n,...>', 'tokens in the cache before generation', list, [0])
    .option('--threads <n>', 'compute threads (default: the processors this process may use)', threads)
    .option('--device <device>', 'cpu, gpu or gpu:N (default: cpu)', device)
    .option('--gpu-layers <n>', 'layers on the GPU, the others on the CPU (default: all)', gpuLayers)
    .option('--reps <n>', 'repetitions, after one to warm up', wholeNumber(1, 1000), 5)
    .option('--variant <name>', 'kernel variant (default: what the self-test chooses)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nTokens a second, median (least..most). pp512: a prompt of 512; tg64: 64 generated; tg64@d3900: behind 3,900 others; tg64x8: by 8 sequences, in all. Of an encoder embed128: texts of 128 tokens.\n\nExamples:\n  $ realm bench --depth 0,3900\n  $ realm bench --model model.gguf --variant plain --json',
    )
    .action(run);
}

const workOf = (options: Options) => ({ ...options, batches: options.batch, depths: options.depth });

function list(text: string): number[] {
  return text.split(',').map(each => tokens(each));
}

async function run(options: Options): Promise<void> {
  const { model, backend, close } = await open(options);
  try {
    const { bench } = await import('../bench/bench.ts');
    const work = workOf(options);
    const results = await bench(model, work, round => remark(`round ${round + 1} of ${options.reps}`));
    const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors`;
    if (options.json) return printJson({ machine, variant: backend, results });
    print(`${machine}; ${backend}\n\n${resultTable(results)}`);
  } finally {
    await close();
  }
}

async function open(options: Options) {
  const { resolveModel } = await import('../catalog/resolve.ts');
  const { openGguf } = await import('../gguf/open.ts');
  const { loadModel } = await import('../model/load.ts');
  const { maxBatchedTokens, slotsNeeded, tokensNeeded } = await import('../bench/bench.ts');
  const { path } = await resolveModel(options.model);
  const file = await openGguf(path);
  try {
    const backend = await backendFor(file, options);
    const kvTokens = tokensNeeded(workOf(options));
    const model = await loadModel(file, backend, {
      kvTokens,
      stateSlots: slotsNeeded(workOf(options)),
      maxBatchTokens: maxBatchedTokens,
      maxOutputs: Math.max(1, ...options.batch),
    });
    return { model, backend: backend.name, close: () => model.close() };
  } finally {
    await file.close();
  }
}

async function backendFor(file: GgufFile, { device = 'cpu', gpuLayers, threads, variant }: Options): Promise<Backend> {
  const { createBackend } = await import('../backend/registry.ts');
  const { gpuIndex } = await import('../backend/device.ts');
  const { SplitBackend } = await import('../backend/split/backend.ts');
  const { splitAt, splittable } = await import('../backend/split/placement.ts');
  const onCpu = () => createBackend('wasm', { threads, variant });
  if (!device.startsWith('gpu') || gpuLayers === 0) return onCpu();
  const gpu = await createBackend('webgpu', { gpu: gpuIndex(device) });
  const { layers, tied } = splittable(file.tensors);
  if (gpuLayers === undefined || gpuLayers >= layers) return gpu;
  return new SplitBackend([await onCpu(), gpu], splitAt(layers - gpuLayers, tied));
}

function resultTable(results: readonly Result[]): string {
  const number = (value: number) => value.toFixed(1);
  const rows = results.map(({ test, tokensPerSecond: { median, min, max } }) => [
    test,
    number(median),
    `(${number(min)}..${number(max)})`,
  ]);
  return table([['test', 'tok/s', ''], ...rows], [1, 2]);
}
