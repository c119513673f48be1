import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import type { Verdict } from '../backend/wasm/selection.ts';
import { formatBytes, print, printJson, table } from './output.ts';

export function addDoctor(realm: Command): void {
  realm
    .command('doctor')
    .description('Check this machine: processor, memory, and every kernel against the scalar reference.')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nEvery variant of every kernel is compared bit for bit with the reference and timed on a small piece of work. REALM_KERNELS=NAME has all models use one variant.\n\nExamples:\n  $ realm doctor\n  $ realm doctor --json',
    )
    .action(doctor);
}

async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const { createBench } = await import('../backend/wasm/backend.ts');
  const { fastest, judge } = await import('../backend/wasm/selection.ts');
  const { variantNamed } = await import('../backend/wasm/selection.ts');
  const { parts, variantsOf } = await import('../kernels/module.ts');
  const forced = process.env.REALM_KERNELS || undefined;
  if (forced) variantNamed(forced);
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memory: totalmem(),
    freeMemory: freemem(),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
  const kernels = [];
  for (const part of parts) {
    const verdicts = await judge(part, variantsOf(part), createBench);
    kernels.push({ part, chosen: forced ?? fastest(verdicts)?.variant, verdicts });
  }
  if (json) return printJson({ machine, kernels });
  print(`${machine.processor}, ${machine.processors} processors; ${machine.platform}`);
  print(`${formatBytes(machine.memory)} of memory, ${formatBytes(machine.freeMemory)} free`);
  print(`Node ${machine.node}, V8 ${machine.v8}\n`);
  const rows = kernels.map(({ part, chosen, verdicts }) => [part, chosen ?? 'none', verdicts.map(words).join('  ')]);
  print(table([['kernels', 'used', 'µs for the same work; ✗ is never used'], ...rows]));
  const broken = kernels.filter(({ chosen }) => chosen === undefined).map(({ part }) => part);
  print(
    broken.length === 0 ? '\nAll is well.' : `\nNo kernels for ${broken.join(', ')}: such models cannot be loaded.`,
  );
  if (broken.length > 0) process.exitCode = 1;
}

function words({ variant, agrees, microseconds, error }: Verdict): string {
  if (!agrees) return `${variant} ✗ (${error ?? 'computes other bits'})`;
  return `${variant} ${microseconds === undefined ? '✓' : Math.round(microseconds)}`;
}
