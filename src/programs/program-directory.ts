import { RealmError } from '../errors.ts';
import { type ProgramRef, programRefText } from '../tenancy/program-ref.ts';
import type { Owner, ProgramRows, VersionRow } from './program-store.ts';

/** The programs that were uploaded, in memory: what answers a request is known without the store. */
export class ProgramDirectory {
  readonly #owners = new Map<Owner, Map<string, ProgramRows>>();

  /** Programs that are new or have changed. */
  apply(changed: readonly ProgramRows[]): void {
    for (const rows of changed) {
      const { owner, name, deleted } = rows.head;
      const own = this.#owners.get(owner) ?? new Map<string, ProgramRows>();
      if (deleted === 1) own.delete(name);
      else this.#owners.set(owner, own.set(name, rows));
    }
  }

  /** The version that a name stands for, for a tenant: its own programs go before those that are for all. */
  find(tenant: string, { name, version }: ProgramRef): VersionRow | undefined {
    const found = this.#owners.get(tenant)?.get(name) ?? this.#owners.get('')?.get(name);
    const wanted = version ?? found?.head.current;
    return found?.versions.find(each => each.version === wanted);
  }

  /** The same; throws `program_not_found`, with what there is. */
  known(tenant: string, ref: ProgramRef): VersionRow {
    const found = this.find(tenant, ref);
    if (found) return found;
    const names = this.#namesFor(tenant).join(', ') || 'none';
    const message = `program: there is no program ${programRefText(ref)}; programs here: ${names}`;
    throw new RealmError('program_not_found', message, { param: 'program' });
  }

  #namesFor(tenant: string): string[] {
    const names = ['', tenant].flatMap(owner => [...(this.#owners.get(owner)?.keys() ?? [])]);
    return [...new Set(names)].sort();
  }
}
