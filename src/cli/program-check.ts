import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { asRealmError, type RealmError } from '../errors.ts';
import type { ModuleDescription } from '../sandbox/describe.ts';
import { wholeNumber } from './options.ts';
import { formatBytes, print, printJson, table, visible } from './output.ts';
import { readModuleFile } from './program-file.ts';

interface CheckOptions {
  readonly memory?: number;
  readonly json?: boolean;
}

export function addCheck(program: Command): void {
  program
    .command('check')
    .argument('<file>', 'a module, NAME.wasm')
    .description('Whether a program would be let in, and what it is.')
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
  const refusal = await refusalOf(basename(file), module, memory);
  if (refusal) process.exitCode = 1;
  if (json) {
    const refused = refusal && { code: refusal.code, message: refusal.message };
    return printJson({ digest, size: module.length, ...description, refused: refused ?? null });
  }
  print(visible(refusal ? `refused: ${refusal.code}: ${refusal.message}` : `${basename(file)} would be let in.`));
  print(table([['digest', digest], ['size', formatBytes(module.length)], ...(description ? rowsOf(description) : [])]));
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

/** What the server would say: it is read, and compiled as it would be there. */
async function refusalOf(name: string, module: Uint8Array, memoryMb?: number): Promise<RealmError | undefined> {
  const { commandSandbox } = await import('./program-sandbox.ts');
  const sandbox = commandSandbox();
  try {
    await sandbox.load(name, module, memoryMb === undefined ? {} : { memoryMb });
    return undefined;
  } catch (error) {
    return asRealmError(error);
  } finally {
    await sandbox.close();
  }
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
