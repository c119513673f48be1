import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { asRealmError, RealmError } from '../errors.ts';
import { readBuiltinProgram } from '../sandbox/builtin.ts';
import type { Program, Sandbox } from '../sandbox/types.ts';
import type { RealmConfig } from '../tenancy/config.ts';
import type { Tenant } from '../tenancy/tenants.ts';

/** Tenants with the same memory share the program of one file. */
function programKey({ program, memoryMb }: Tenant): string {
  return program === undefined ? '' : `${memoryMb} ${program}`;
}

/** Requests are answered only after all programs have been loaded. */
export function loadedProgram(programs: ReadonlyMap<string, Program>, tenant: Tenant): Program {
  const program = programs.get(programKey(tenant));
  if (program) return program;
  throw new RealmError('not_ready', 'The programs are still being loaded; try again in a moment');
}

/** That it failed is told when it is needed. */
export function loadBuiltin(sandbox: Sandbox): Promise<Program> {
  const loading = readBuiltinProgram('default').then(bytes => sandbox.load('default', bytes, { direct: true }));
  loading.catch(() => {});
  return loading;
}

/** Those of the configuration that are not there yet. Throws what is wrong with one, by its path. */
export async function loadPrograms(
  { tenants = [] }: RealmConfig,
  sandbox: Sandbox,
  programs: Map<string, Program>,
): Promise<void> {
  for (const [i, tenant] of tenants.entries()) {
    const { program, memoryMb } = tenant;
    if (program === undefined || programs.has(programKey(tenant))) continue;
    try {
      programs.set(programKey(tenant), await sandbox.load(basename(program), await readFile(program), { memoryMb }));
    } catch (cause) {
      const { code, message } = asRealmError(cause);
      const param = `tenants[${i}].program`;
      throw new RealmError(code, `${param}: ${program}: ${message}`, { param, cause });
    }
  }
}
