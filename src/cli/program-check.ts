import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { asRealmError, type RealmError } from '../errors.ts';
import type { ModuleDescription } from '../sandbox/describe.ts';
import { DEFAULT_MEMORY_MB } from '../sandbox/limits.ts';
import { keptAlive } from './alive.ts';
import { wholeNumber } from './options.ts';
import { formatBytes, print, printJson, table, visible } from './output.ts';
import { readModuleFile } from './program-file.ts';
import type { Sample } from './program-sample.ts';

interface CheckOptions {
  readonly memory?: number;
  readonly json?: boolean;
}

export function addCheck(program: Command): void {
  program
    .command('check')
    .argument('<file>', 'a module, NAME.wasm')
    .description('Whether a program would be let in, what it is, and what a sample run of it takes.')
    .option('--memory <mb>', "its tenant's memory_mb (default: 64)", wholeNumber(1, 4096))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm program check summary.wasm')
    .action(check);
}

/** Exit code 1 where it would be refused. */
async function check(file: string, { memory, json }: CheckOptions): Promise<void> {
  const module = await readModuleFile(file);
  const digest = createHash('sha256').update(module).digest('hex');
  const description = await describe(module);
  const { refusal, sample } = await tried(basename(file), module, memory);
  if (refusal) process.exitCode = 1;
  if (json) {
    const refused = refusal && { code: refusal.code, message: refusal.message };
    return printJson({ digest, size: module.length, ...description, refused: refused ?? null, sample: jsonOf(sample) });
  }
  print(visible(refusal ? `refused: ${refusal.code}: ${refusal.message}` : `${basename(file)} would be let in.`));
  const rows = [...(description ? rowsOf(description) : []), ...(sample ? sampleRows(sample) : [])];
  print(visible(table([['digest', digest], ['size', formatBytes(module.length)], ...rows])));
}

/** Undefined where it is no module. */
async function describe(module: Uint8Array): Promise<ModuleDescription | undefined> {
  const { describeModule } = await import('../sandbox/describe.ts');
  try {
    return describeModule(module);
  } catch {
    return undefined;
  }
}

/** What the server would say: it is read, and compiled as it would be there; then it runs once. */
async function tried(
  name: string,
  module: Uint8Array,
  memoryMb = DEFAULT_MEMORY_MB,
): Promise<{ refusal?: RealmError; sample?: Sample }> {
  const { commandSandbox } = await import('./program-sandbox.ts');
  const { sampleRun } = await import('./program-sample.ts');
  const sandbox = commandSandbox();
  try {
    const program = await sandbox.load(name, module, { memoryMb });
    return { sample: await keptAlive(() => sampleRun(sandbox, program, memoryMb)) };
  } catch (error) {
    return { refusal: asRealmError(error) };
  } finally {
    await sandbox.close();
  }
}

/** Honest about what it is: fuel is the program's own computing, which follows what models say. */
function sampleRows({ fuel, memory, requests, tokens, error, logged }: Sample): [string, string][] {
  const asked = `${requests} ${requests === 1 ? 'request' : 'requests'} and ${tokens} tokens of a stand-in for a model`;
  return [
    ['sample run', `${fuel} fuel, ${formatBytes(memory)} of memory, with ${asked}`],
    ...(error
      ? [
          [
            '',
            `ended by ${error.code}: ${error.message}${logged === undefined ? '' : ` It had logged: ${logged}`}`,
          ] as [string, string],
        ]
      : []),
  ];
}

function jsonOf(sample: Sample | undefined): object | null {
  if (!sample) return null;
  const { error, ...rest } = sample;
  return { ...rest, error: error ? { code: error.code, message: error.message } : null };
}

function rowsOf({ abi, imports, exports, memory, compileCost, allowedCost }: ModuleDescription): [string, string][] {
  const share = (cost: number, allowed: number) => `${cost} of ${allowed} (${((100 * cost) / allowed).toFixed(1)} %)`;
  return [
    ['ABI', abi === undefined ? 'none: it exports neither run nor generate' : `version ${abi}`],
    ['memory at the start', memory === undefined ? 'none' : formatBytes(memory)],
    ['cost of compiling', compileCost ? share(compileCost.total, allowedCost.total) : 'too much'],
    ['of its largest function', compileCost ? share(compileCost.largest, allowedCost.largest) : ''],
    ['imports', imports.join(', ')],
    ['exports', exports.join(', ')],
  ];
}
