import type { Command } from 'commander';
import type { ProgramWithVersions } from '../programs/operator.ts';
import { operate, type PlaceOptions, withExample, withPlace } from './operator.ts';
import { wholeNumber } from './options.ts';
import { print, printJson, table, visible } from './output.ts';
import { addBuild } from './program-build.ts';
import { addCheck } from './program-check.ts';
import { readModuleFile } from './program-file.ts';
import { addNew } from './program-new.ts';
import { addRunProgram } from './program-run.ts';
import { validated } from './validated.ts';

interface OwnerOptions extends PlaceOptions {
  /** Absent: the operator's own. */
  readonly tenant?: string;
}

export function addProgram(realm: Command): void {
  const program = realm
    .command('program')
    .description("Tenants' programs: what decides what is generated (docs/programs.md).")
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm program check summary.wasm\n  $ realm program push summary.wasm --name summary --url http://127.0.0.1:8080',
    );
  addNew(program);
  addBuild(program);
  addCheck(program);
  addRunProgram(program);
  const command = (name: string, description: string, example: string) => {
    const made = program
      .command(name)
      .description(description)
      .option('--tenant <id>', 'whose it is (default: for all)');
    return withExample(withPlace(made), `program ${example}`);
  };
  const version = wholeNumber(1, 1e9);
  command('push', 'Upload a program, or a new version of it.', 'push summary.wasm --name summary --config realm.yaml')
    .argument('<file>')
    .requiredOption('--name <name>', 'by which requests and tenants name it')
    .option('--note <text>', 'for people')
    .action(push);
  command('list', 'List programs, or the versions of one.', 'list --config realm.yaml')
    .argument('[name]')
    .option('--all', 'those of all tenants too')
    .action(list);
  command('rollback', 'Make an earlier version the current one.', 'rollback summary 1 --config realm.yaml')
    .argument('<name>')
    .argument('<version>', '', version)
    .action(rollback);
  command('delete', 'Delete a program, or one of its versions.', 'delete summary --config realm.yaml')
    .argument('<name>')
    .argument('[version]', 'this version only', version)
    .action(remove);
}

async function push(
  file: string,
  { name, note, tenant, ...options }: OwnerOptions & { name: string; note?: string },
): Promise<void> {
  const { noteSchema } = await import('../programs/operator-schema.ts');
  const { programName } = await import('../tenancy/program-ref.ts');
  const { z } = await import('zod');
  const said = await validated(z.object({ name: programName, note: noteSchema.optional() }), { name, note });
  const module = await readModuleFile(file);
  await operate(options, async ({ uploaded }) =>
    show(options, await uploaded.pushProgram(tenant ?? null, said.name, { module, note: said.note })),
  );
}

function list(
  name: string | undefined,
  { tenant, all = false, ...options }: OwnerOptions & { all?: boolean },
): Promise<void> {
  return operate(options, async ({ uploaded }) => {
    if (name === undefined) {
      const programs = await uploaded.programs(all ? '*' : (tenant ?? null));
      if (options.json) return printJson(programs);
      const rows = programs.map(each => [each.name, each.tenant ?? '(all)', ...rowOf(each)]);
      return print(table([['NAME', 'TENANT', ...head], ...rows], [2, 3]));
    }
    const found = await uploaded.program(tenant ?? null, name);
    if (options.json) return printJson(found);
    const rows = found.versions.map(each => [each.version === found.version ? '*' : '', ...rowOf(each)]);
    print(table([['', ...head], ...rows], [1, 2]));
  });
}

const head = ['VERSION', 'BYTES', 'UPLOADED', 'BY', 'NOTE'];

function rowOf({ version, size, created_at, created_by, note }: ProgramWithVersions['versions'][number]): string[] {
  return [`${version}`, `${size}`, created_at, created_by, visible(note ?? '')];
}

function rollback(name: string, version: number, { tenant, ...options }: OwnerOptions): Promise<void> {
  return operate(options, async ({ uploaded }) =>
    show(options, await uploaded.rollbackProgram(tenant ?? null, name, version)),
  );
}

function show({ json }: PlaceOptions, program: ProgramWithVersions): void {
  if (json) printJson(program);
  else print(`${program.name}@${program.version} answers now.`);
}

function remove(name: string, version: number | undefined, { tenant, ...options }: OwnerOptions): Promise<void> {
  return operate(options, async ({ uploaded }) => {
    await uploaded.deleteProgram(tenant ?? null, name, version);
    const what = version === undefined ? name : `${name}@${version}`;
    if (options.json) printJson({ name, tenant: tenant ?? null, version, deleted: true });
    else print(`${what} is deleted.`);
  });
}
