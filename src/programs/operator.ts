import { RealmError } from '../errors.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { programName } from '../tenancy/program-ref.ts';
import { isBuiltinName } from './library.ts';
import type { PushProgram } from './operator-schema.ts';
import { type Owner, type ProgramKey, type ProgramRows, type ProgramStore, programNotFound } from './program-store.ts';

export interface VersionAnswer {
  readonly version: number;
  /** SHA-256 of the module, hex. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly note: string | null;
  readonly created_at: string;
  readonly created_by: string;
}

/** A program, with what is said of its current version. */
export interface ProgramAnswer extends VersionAnswer {
  readonly name: string;
  /** null: it is for all tenants. */
  readonly tenant: string | null;
}

export interface ProgramWithVersions extends ProgramAnswer {
  /** Those that are kept, the oldest first. */
  readonly versions: readonly VersionAnswer[];
}

/** What an operator does with programs that are uploaded. `tenant` null: the operator's own, for all. */
export interface ProgramOperator {
  /** `*`: those of all. */
  programs(tenant: string | null): Promise<ProgramAnswer[]>;
  program(tenant: string | null, name: string): Promise<ProgramWithVersions>;
  /** `first`: it must be a new program. */
  pushProgram(tenant: string | null, name: string, body: PushProgram, first?: boolean): Promise<ProgramWithVersions>;
  rollbackProgram(tenant: string | null, name: string, version: number): Promise<ProgramWithVersions>;
  /** Without a version: all of it. */
  deleteProgram(tenant: string | null, name: string, version?: number): Promise<void>;
}

export interface ProgramOperatorParts {
  readonly actor: string;
  readonly store: ProgramStore;
  readonly sandbox: Pick<Sandbox, 'load'>;
  /** Throws `tenant_not_found`; `memory_mb` as its fields have it. */
  tenant(id: string): Promise<{ readonly [field: string]: unknown }>;
}

/** On a store. A program is checked before it is kept. */
export class StoreProgramOperator implements ProgramOperator {
  readonly #parts: ProgramOperatorParts;

  constructor(parts: ProgramOperatorParts) {
    this.#parts = parts;
  }

  async programs(tenant: string | null): Promise<ProgramAnswer[]> {
    const owner = tenant === '*' ? undefined : (await this.#owner(tenant)).owner;
    return (await this.#parts.store.list(owner)).map(current);
  }

  async program(tenant: string | null, name: string): Promise<ProgramWithVersions> {
    return whole(await this.#parts.store.get(await this.#key(tenant, name)));
  }

  async pushProgram(
    tenant: string | null,
    name: string,
    { module, note }: PushProgram,
    first = false,
  ): Promise<ProgramWithVersions> {
    const { owner, memoryMb } = await this.#owner(tenant);
    checkName(name);
    await this.#parts.sandbox.load(name, module, memoryMb === undefined ? {} : { memoryMb });
    return whole(await this.#parts.store.push(this.#parts.actor, { owner, name }, { module, note, first }));
  }

  async rollbackProgram(tenant: string | null, name: string, version: number): Promise<ProgramWithVersions> {
    return whole(await this.#parts.store.rollback(this.#parts.actor, await this.#key(tenant, name), version));
  }

  async deleteProgram(tenant: string | null, name: string, version?: number): Promise<void> {
    await this.#parts.store.remove(this.#parts.actor, await this.#key(tenant, name), version);
  }

  async #key(tenant: string | null, name: string): Promise<ProgramKey> {
    const { owner } = await this.#owner(tenant);
    // Databases take no text that can be none.
    if (!programName.safeParse(name).success) throw programNotFound(name);
    return { owner, name };
  }

  /** Throws `tenant_not_found`. */
  async #owner(tenant: string | null): Promise<{ owner: Owner; memoryMb?: number }> {
    if (tenant === null) return { owner: '' };
    const { memory_mb: memoryMb } = await this.#parts.tenant(tenant);
    return { owner: tenant, memoryMb: memoryMb as number };
  }
}

function checkName(name: string): void {
  const [issue] = programName.safeParse(name).error?.issues ?? [];
  if (issue) throw new RealmError('invalid_request', `name: ${issue.message}`, { param: 'name' });
  if (!isBuiltinName(name)) return;
  throw new RealmError('program_exists', `${name} comes with Realm: use another name`, { param: 'name' });
}

type Row = ProgramRows['versions'][number];

function versionAnswer({ version, digest, size, note, created_at, created_by }: Row): VersionAnswer {
  return { version, digest, size, note, created_at: new Date(created_at).toISOString(), created_by };
}

function current({ head, versions }: ProgramRows): ProgramAnswer {
  const { owner, name } = head;
  const row = versions.find(({ version }) => version === head.current)!;
  return { name, tenant: owner || null, ...versionAnswer(row) };
}

const whole = (rows: ProgramRows): ProgramWithVersions => ({
  ...current(rows),
  versions: rows.versions.map(versionAnswer),
});
