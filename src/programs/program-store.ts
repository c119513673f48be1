import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { RealmError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { ProgramTable, ProgramVersionTable, StoreTables } from '../store/schema.ts';
import type { AuditLog, Change } from '../tenancy/audit.ts';

type Trx = Pick<Transaction<StoreTables>, 'selectFrom' | 'insertInto' | 'updateTable' | 'deleteFrom'>;

/** Whose it is: a tenant's id, or empty for the operator, whose programs are for all. */
export type Owner = string;

export interface ProgramKey {
  readonly owner: Owner;
  readonly name: string;
}

/** What is known of a version beside its module. */
export type VersionRow = Omit<ProgramVersionTable, 'module'>;

/** A program with its versions, the oldest first. */
export interface ProgramRows {
  readonly head: ProgramTable;
  readonly versions: readonly VersionRow[];
}

export interface NewVersion {
  readonly module: Uint8Array;
  readonly note?: string | undefined;
  /** It begins a program of that name, and does not replace one. */
  readonly first?: boolean;
}

/** How much an owner may keep. The oldest version goes when there is one too many. */
export const limits = { programs: 100, versions: 50, bytes: 256 * 2 ** 20 };

const columns = ['owner', 'name', 'version', 'digest', 'size', 'note', 'created_at', 'created_by'] as const;

/** Programs that were uploaded. Each change stands in the audit log, and all servers on the store hear of it. */
export class ProgramStore {
  readonly #store: Store;
  readonly #audit: AuditLog;
  readonly #changed: () => Promise<void>;

  /** `changed`: hears of each change before whoever made it does. */
  constructor(store: Store, audit: AuditLog, changed: () => Promise<void> = async () => {}) {
    this.#store = store;
    this.#audit = audit;
    this.#changed = changed;
  }

  /** Of one owner, or of all; by their owners and names. */
  async list(owner?: Owner): Promise<ProgramRows[]> {
    const { db } = this.#store;
    const heads = db.selectFrom('programs').selectAll().where('deleted', '=', 0);
    const versions = db.selectFrom('program_versions').select(columns);
    const its = owner !== undefined;
    return joined(
      await heads.$if(its, query => query.where('owner', '=', owner!)).execute(),
      await versions.$if(its, query => query.where('owner', '=', owner!)).execute(),
    );
  }

  /** Throws `program_not_found`. */
  get(key: ProgramKey): Promise<ProgramRows> {
    return rowsOf(this.#store.db, key, undefined);
  }

  /** Programs that have changed since that change, deleted ones too. */
  async changedAfter(changed: number): Promise<ProgramRows[]> {
    const { db } = this.#store;
    const heads = await db.selectFrom('programs').selectAll().where('changed', '>', changed).execute();
    if (heads.length === 0) return [];
    const distinct = (values: string[]) => [...new Set(values)];
    const versions = await db
      .selectFrom('program_versions')
      .select(columns)
      .where('owner', 'in', distinct(heads.map(({ owner }) => owner)))
      .where('name', 'in', distinct(heads.map(({ name }) => name)))
      .execute();
    return joined(heads, versions);
  }

  /** Undefined: the version was deleted. */
  async module({ owner, name }: ProgramKey, version: number): Promise<Uint8Array | undefined> {
    const found = this.#store.db.selectFrom('program_versions').select('module').where('owner', '=', owner);
    return (await found.where('name', '=', name).where('version', '=', version).executeTakeFirst())?.module;
  }

  /** The new version is the current one. Throws `program_exists` where it must be the first, `program_limit` where there is no room. */
  push(actor: string, key: ProgramKey, { module, note, first = false }: NewVersion): Promise<ProgramRows> {
    const digest = createHash('sha256').update(module).digest('hex');
    const size = module.length;
    return this.#change({ actor, action: 'uploaded', key, detail: { digest, size } }, async (trx, changed, at) => {
      const known = await headOf(trx, key);
      if (first && known?.deleted === 0) throw programExists(key);
      const isNew = known === undefined || known.deleted === 1;
      const version = (known?.last ?? 0) + 1;
      const head = { ...key, current: version, last: version, deleted: 0, changed };
      if (known) await ofProgram(trx.updateTable('programs').set(head), key).execute();
      else await trx.insertInto('programs').values(head).execute();
      const row = { ...key, version, digest, size, note: note ?? null, created_at: at, created_by: actor };
      await trx
        .insertInto('program_versions')
        .values({ ...row, module })
        .execute();
      const versions = await keepLatest(trx, key);
      await checkRoom(trx, key.owner, isNew);
      return { head, versions };
    });
  }

  /** Makes a version that is kept the current one. Throws `program_not_found`. */
  rollback(actor: string, key: ProgramKey, version: number): Promise<ProgramRows> {
    return this.#change({ actor, action: 'rolled_back', key, detail: { version } }, async (trx, changed) => {
      const { head, versions } = await rowsOf(trx, key, version);
      const next = { ...head, current: version, changed };
      await ofProgram(trx.updateTable('programs').set(next), key).execute();
      return { head: next, versions };
    });
  }

  /** All of it, or one version that is not the current one. Throws `program_not_found`. */
  remove(actor: string, key: ProgramKey, version?: number): Promise<void> {
    return this.#change({ actor, action: 'deleted', key, detail: { version } }, async (trx, changed) => {
      const { head } = await rowsOf(trx, key, version);
      if (version === head.current) throw isCurrent(version);
      const next = { ...head, deleted: Number(version === undefined), changed };
      await ofProgram(trx.updateTable('programs').set(next), key).execute();
      const gone = ofProgram(trx.deleteFrom('program_versions'), key);
      await (version === undefined ? gone : gone.where('version', '=', version)).execute();
    });
  }

  async #change<T>(
    { actor, action, key, detail }: { actor: string; action: string; key: ProgramKey; detail: object },
    change: Change<T>,
  ): Promise<T> {
    const note = {
      actor,
      action: `program.${action}`,
      target: key.name,
      detail: { tenant: key.owner || null, ...detail },
    };
    const result = await this.#audit.record(note, change);
    await this.#changed();
    return result;
  }
}

/** Both tables have these columns. */
function ofProgram<Q extends { where(column: 'owner' | 'name', is: '=', value: string): Q }>(
  query: Q,
  { owner, name }: ProgramKey,
): Q {
  return query.where('owner', '=', owner).where('name', '=', name);
}

function headOf(trx: Trx, key: ProgramKey): Promise<ProgramTable | undefined> {
  return ofProgram(trx.selectFrom('programs').selectAll(), key).executeTakeFirst();
}

function versionsOf(trx: Trx, key: ProgramKey): Promise<VersionRow[]> {
  return ofProgram(trx.selectFrom('program_versions').select(columns), key).orderBy('version').execute();
}

/** Throws `program_not_found`, also where the version is not there. */
async function rowsOf(trx: Trx, key: ProgramKey, version: number | undefined): Promise<ProgramRows> {
  const head = await headOf(trx, key);
  if (head === undefined || head.deleted === 1) throw programNotFound(key.name);
  const versions = await versionsOf(trx, key);
  if (version !== undefined && !versions.some(each => each.version === version))
    throw programNotFound(`${key.name}@${version}`);
  return { head, versions };
}

/** A new version has been added: those before the latest are deleted. */
async function keepLatest(trx: Trx, key: ProgramKey): Promise<VersionRow[]> {
  const versions = await versionsOf(trx, key);
  const oldest = versions.at(-limits.versions)?.version ?? 0;
  await ofProgram(trx.deleteFrom('program_versions'), key).where('version', '<', oldest).execute();
  return versions.filter(({ version }) => version >= oldest);
}

/** Throws where the owner has more than it may, and nothing is kept of the change. */
async function checkRoom(trx: Trx, owner: Owner, isNew: boolean): Promise<void> {
  const { count } = await trx
    .selectFrom('programs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('owner', '=', owner)
    .where('deleted', '=', 0)
    .executeTakeFirstOrThrow();
  if (isNew && count > limits.programs)
    throw tooMuch(`${limits.programs} programs are allowed; delete one that is not used`);
  const { bytes } = await trx
    .selectFrom('program_versions')
    .select(({ fn }) => fn.sum<number>('size').as('bytes'))
    .where('owner', '=', owner)
    .executeTakeFirstOrThrow();
  if (bytes > limits.bytes)
    throw tooMuch(`all versions together may have ${limits.bytes / 2 ** 20} MiB; delete some that are not used`);
}

function joined(heads: readonly ProgramTable[], versions: readonly VersionRow[]): ProgramRows[] {
  const keyOf = ({ owner, name }: ProgramKey) => `${owner}/${name}`;
  const byKey = Map.groupBy(versions, keyOf);
  const sorted = (list: readonly VersionRow[]) => list.toSorted((a, b) => a.version - b.version);
  return heads
    .map(head => ({ head, versions: sorted(byKey.get(keyOf(head)) ?? []) }))
    .sort(({ head: a }, { head: b }) => keyOf(a).localeCompare(keyOf(b), 'en'));
}

export function programNotFound(name: string): RealmError {
  const message = `There is no program ${name}; \`realm program list\` has those that were uploaded`;
  return new RealmError('program_not_found', message);
}

function programExists({ name }: ProgramKey): RealmError {
  const message = `There is a program ${name} already: PUT makes a new version of it`;
  return new RealmError('program_exists', message, { param: 'name' });
}

function isCurrent(version: number): RealmError {
  const message = `version: ${version} is the current one: make another one current first, or delete the whole program`;
  return new RealmError('invalid_request', message, { param: 'version' });
}

function tooMuch(message: string): RealmError {
  return new RealmError('program_limit', message);
}
