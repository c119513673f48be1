import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { asRealmError, RealmError } from '../errors.ts';
import type { Program, Sandbox } from '../sandbox/types.ts';
import type { Tenant } from '../tenancy/tenants.ts';

interface FileProgram {
  readonly program: Program;
  /** Of the file, as it was read. */
  readonly digest: string;
}

/** Tenants with the same memory share the program of one file. */
const keyOf = (path: string, memoryMb: number): string => `${memoryMb} ${path}`;

/** The programs of files that `realm.yaml` names, as they were when it was read. */
export class FilePrograms {
  readonly #programs: ReadonlyMap<string, FileProgram>;

  private constructor(programs: ReadonlyMap<string, FileProgram>) {
    this.#programs = programs;
  }

  static readonly none = new FilePrograms(new Map());

  /** Reads all files; those that are as they were `before` are not checked again. Throws what is wrong with one, by its path. */
  static async load(
    tenants: readonly Tenant[] = [],
    sandbox: Pick<Sandbox, 'load'>,
    before: FilePrograms = FilePrograms.none,
  ): Promise<FilePrograms> {
    const programs = new Map<string, FileProgram>();
    for (const [i, { program, memoryMb }] of tenants.entries()) {
      if (program === undefined || !('path' in program)) continue;
      const { path } = program;
      const key = keyOf(path, memoryMb);
      if (programs.has(key)) continue;
      try {
        programs.set(key, await read(path, memoryMb, sandbox, before.#programs.get(key)));
      } catch (cause) {
        const { code, message } = asRealmError(cause);
        const param = `tenants[${i}].program`;
        throw new RealmError(code, `${param}: ${path}: ${message}`, { param, cause });
      }
    }
    return new FilePrograms(programs);
  }

  get(path: string, memoryMb: number): Program | undefined {
    return this.#programs.get(keyOf(path, memoryMb))?.program;
  }

  /** Files that were read before and have another content now. */
  changedSince(before: FilePrograms): string[] {
    const changed = [...this.#programs].filter(([key, { digest }]) => {
      const earlier = before.#programs.get(key);
      return earlier !== undefined && earlier.digest !== digest;
    });
    return [...new Set(changed.map(([key]) => key.slice(key.indexOf(' ') + 1)))];
  }
}

async function read(
  path: string,
  memoryMb: number,
  sandbox: Pick<Sandbox, 'load'>,
  before: FileProgram | undefined,
): Promise<FileProgram> {
  const bytes = await readFile(path);
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (before?.digest === digest) return before;
  return { program: await sandbox.load(basename(path), bytes, { memoryMb }), digest };
}
