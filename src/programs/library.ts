import { RealmError } from '../errors.ts';
import { type BuiltinProgram, builtinPrograms, readBuiltinProgram } from '../sandbox/builtin.ts';
import type { Program, Sandbox } from '../sandbox/types.ts';
import type { Follower } from '../store/follower.ts';
import { type ProgramRef, programRefText, toProgramRef } from '../tenancy/program-ref.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import { FilePrograms } from './file-programs.ts';
import { LoadedPrograms } from './loaded-programs.ts';
import { ProgramDirectory } from './program-directory.ts';
import type { ProgramStore, VersionRow } from './program-store.ts';

export interface LibraryParts {
  readonly store: Pick<ProgramStore, 'changedAfter' | 'module'>;
  readonly follower: Pick<Follower, 'add'>;
  readonly sandbox: Sandbox;
}

/** The programs that answer requests: those of files, those that were uploaded and those that come with Realm. */
export class ProgramLibrary {
  /** Of the configuration as it is now. */
  files = FilePrograms.none;
  readonly #store: LibraryParts['store'];
  readonly #sandbox: Sandbox;
  readonly #directory = new ProgramDirectory();
  readonly #loaded: LoadedPrograms;
  readonly #builtin = new Map<BuiltinProgram, Promise<Program>>();
  #seen = 0;

  constructor({ store, follower, sandbox }: LibraryParts) {
    this.#store = store;
    this.#sandbox = sandbox;
    this.#loaded = new LoadedPrograms(sandbox);
    follower.add(() => this.#read());
  }

  /**
   * The program that answers a tenant's request, in the version that is current now. `named`: what the request asks
   * for, in the place of the tenant's own. Throws `program_not_found` at once; the promise, what is wrong with the module.
   */
  of(tenant: Tenant, named?: string): Program | Promise<Program> {
    if (named !== undefined) return this.#uploaded(tenant, this.#directory.known(tenant.id, toProgramRef(named)));
    const { program } = tenant;
    if (program === undefined) return this.builtin('default');
    if ('path' in program) return this.#ofFile(program.path, tenant);
    const found = this.#directory.find(tenant.id, program);
    if (found) return this.#uploaded(tenant, found);
    if (isBuiltin(program)) return this.builtin(program.name);
    throw new RealmError('program_not_found', `The program ${programRefText(program)} of this tenant is not there`);
  }

  /** One of those that come with Realm. It is trusted. */
  builtin(name: BuiltinProgram): Promise<Program> {
    const known = this.#builtin.get(name);
    if (known) return known;
    const loading = readBuiltinProgram(name).then(bytes =>
      this.#sandbox.load(name, bytes, { trusted: true, direct: name === 'default' }),
    );
    this.#builtin.set(name, loading);
    // Whoever needs it hears of it.
    loading.catch(() => {});
    return loading;
  }

  /** Whether a tenant may be given a program. Throws `program_not_found`. */
  check(tenant: string, ref: ProgramRef): void {
    if (!isBuiltin(ref)) this.#directory.known(tenant, ref);
  }

  #ofFile(path: string, { memoryMb }: Tenant): Program {
    const program = this.files.get(path, memoryMb);
    if (program) return program;
    throw new RealmError('not_ready', 'The programs are still being loaded; try again in a moment');
  }

  #uploaded({ memoryMb }: Tenant, { owner, name, version, digest, size }: VersionRow): Promise<Program> {
    const label = programRefText({ name, version });
    const module = async () => {
      const bytes = await this.#store.module({ owner, name }, version);
      if (bytes) return bytes;
      throw new RealmError('program_not_found', `The program ${label} has just been deleted`, { param: 'program' });
    };
    return this.#loaded.load({ name: label, digest, size, memoryMb, module });
  }

  async #read(): Promise<void> {
    const changed = await this.#store.changedAfter(this.#seen);
    this.#directory.apply(changed);
    for (const { head } of changed) this.#seen = Math.max(this.#seen, head.changed);
  }
}

export const isBuiltin = (ref: ProgramRef): ref is ProgramRef & { name: BuiltinProgram } =>
  ref.version === undefined && isBuiltinName(ref.name);

export function isBuiltinName(name: string): name is BuiltinProgram {
  return (builtinPrograms as readonly string[]).includes(name);
}
