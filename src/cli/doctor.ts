import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import type { Choice, Verdict } from '../backend/wasm/choice.ts';
import { asRealmError } from '../errors.ts';
import type { KernelSize } from '../kernels/module.ts';
import { formatBytes, print, printJson, table } from './output.ts';

export function addDoctor(realm: Command): void {
  realm
    .command('doctor')
    .description('Check this machine: processor, memory, GPUs, and every kernel against the scalar reference.')
    .option('--fresh', 'measure which kernels are fastest anew, and remember it')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nEvery variant of every kernel is compared bit for bit with the reference. Which is used for one token, for a few and for many is measured\nonce for this processor and version, and remembered in REALM_HOME. REALM_KERNELS=NAME has all models use one variant.\n\nExamples:\n  $ realm doctor\n  $ realm doctor --fresh --json',
    )
    .action(doctor);
}

async function doctor({ fresh, json }: { readonly fresh?: boolean; readonly json?: boolean }): Promise<void> {
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memory: totalmem(),
    freeMemory: freemem(),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
  const kernels = await inspectKernels(fresh);
  const gpus = await inspectGpus();
  if (json) printJson({ machine, kernels: kernels.map(({ forgotten: _, ...rest }) => rest), gpus });
  else report(machine, kernels, gpus);
  if (kernels.some(({ chosen }) => chosen === undefined)) process.exitCode = 1;
}

async function inspectKernels(fresh?: boolean) {
  const { createBench } = await import('../backend/wasm/create.ts');
  const { everywhere } = await import('../backend/wasm/choice.ts');
  const { RememberedChoices } = await import('../backend/wasm/remembered.ts');
  const { judge, select, variantNamed } = await import('../backend/wasm/selection.ts');
  const { parts, variantsOf } = await import('../kernels/module.ts');
  const forced = process.env.REALM_KERNELS || undefined;
  if (forced) variantNamed(forced);
  const kernels = [];
  for (const part of parts) {
    const checked = await judge(part, variantsOf(part), createBench);
    const selection = await select(part, checked, createBench, new RememberedChoices(), fresh);
    const { choice, source, verdicts, forgotten } = selection;
    const chosen = forced ? everywhere(part, forced) : choice;
    const how = forced ? 'REALM_KERNELS' : source;
    kernels.push({ part, chosen, how, verdicts, forgotten });
  }
  return kernels;
}

type Kernels = Awaited<ReturnType<typeof inspectKernels>>;

function report(machine: Record<string, string | number>, kernels: Kernels, gpus: readonly GpuReport[]): void {
  print(`${machine.processor}, ${machine.processors} processors; ${machine.platform}`);
  print(`${formatBytes(Number(machine.memory))} of memory, ${formatBytes(Number(machine.freeMemory))} free`);
  print(`Node ${machine.node}, V8 ${machine.v8}\n`);
  const rows = kernels.map(({ part, chosen, how, verdicts }) => [
    part,
    ...(chosen ? used(chosen) : ['none', '', '']),
    how,
    verdicts.map(words).join('  '),
  ]);
  const head = [
    'kernels',
    'one token',
    'a few',
    'many',
    'chosen',
    'µs of the same work, one/few/many; ✗ is never used',
  ];
  print(table([head, ...rows]));
  print(`\n${gpuText(gpus)}`);
  const broken = kernels.filter(({ chosen }) => chosen === undefined).map(({ part }) => part);
  const [forgotten] = kernels.flatMap(kernel => kernel.forgotten ?? []);
  if (forgotten) print(`\nThe choice could not be remembered, so every start measures anew: ${forgotten.message}`);
  print(
    broken.length === 0 ? '\nAll is well.' : `\nNo kernels for ${broken.join(', ')}: such models cannot be loaded.`,
  );
}

const sizes: readonly KernelSize[] = ['one', 'few', 'many'];

/** What works on one token, a few and many: where there are no kernels for many, those for a few do it. */
const used = (chosen: Choice): string[] => sizes.map(size => chosen[size] ?? chosen.all ?? chosen.few ?? '');

function words({ variant, agrees, microseconds, error }: Verdict): string {
  if (!agrees) return `${variant} ✗ (${error ?? 'computes other bits'})`;
  const times = sizes.flatMap(size => (microseconds?.[size] ? Math.round(Math.min(...microseconds[size])) : []));
  return `${variant} ${times.join('/') || '✓'}`;
}

/** A GPU as it did in the self-test of every kernel. */
interface GpuReport {
  readonly device: string;
  readonly name: string;
  /** A processor that computes as a GPU would. */
  readonly isSoftware: boolean;
  readonly features: readonly string[];
  /** Bytes of the largest buffer. */
  readonly largestBuffer: number;
  /** `exact`: the CPU's own bits; `device`: near to them, and the same whoever else is in the batch. */
  readonly numerics?: 'exact' | 'device';
  readonly error?: string;
}

async function inspectGpus(): Promise<readonly GpuReport[]> {
  const { platform } = await import('#platform');
  const { adapterName } = await import('../backend/webgpu/device.ts');
  const reports: GpuReport[] = [];
  for (const [index, adapter] of (await platform.gpus()).adapters.entries()) {
    const { info, features, limits } = adapter;
    reports.push({
      device: `gpu:${index}`,
      name: adapterName(adapter),
      isSoftware: info.isFallbackAdapter,
      features: ['subgroups', 'shader-f16', 'timestamp-query'].filter(name => features.has(name)),
      largestBuffer: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
      ...(await verdictOn(index)),
    });
  }
  return reports;
}

async function verdictOn(gpu: number): Promise<Pick<GpuReport, 'numerics' | 'error'>> {
  const { createWebGpuBackend } = await import('../backend/webgpu/backend.ts');
  const { selfTest } = await import('../backend/webgpu/self-test.ts');
  const { gpuTypes } = await import('../backend/webgpu/plain-format.ts');
  try {
    const backend = await createWebGpuBackend({ gpu });
    try {
      await selfTest(backend, ['common', ...gpuTypes]);
      return { numerics: backend.traits.exact ? 'exact' : 'device' };
    } finally {
      await backend.close();
    }
  } catch (error) {
    return { error: asRealmError(error).message };
  }
}

function gpuText(gpus: readonly GpuReport[]): string {
  if (gpus.length === 0) return 'No GPU: WebGPU finds none (docs/gpu.md says what it needs). Models run on the CPU.';
  const rows = gpus.map(({ device, name, isSoftware, features, largestBuffer, numerics, error }) => [
    device,
    isSoftware ? `${name} (software)` : name,
    formatBytes(largestBuffer),
    features.join(' '),
    numerics ?? `✗ ${error}`,
  ]);
  return table([['device', 'name', 'largest buffer', 'features', 'numerics'], ...rows]);
}
