import { Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { RealmError } from '../errors.ts';
import { migrations } from './migrations/index.ts';
import type { StoreTables } from './schema.ts';
import { SqliteClient } from './sqlite-client.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

/** Where what a server must not forget is kept: the same tables in SQLite and in PostgreSQL. */
export interface Store {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<StoreTables>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** This is a server's: another server on the same SQLite file is refused with `store_locked`. Default false. */
  readonly lock?: boolean;
}

/** `memory`, the path of a SQLite file, or a URL of PostgreSQL; its tables are made or brought up to date. Throws `store_unavailable`, `store_locked`. */
export async function openStore(place: string, { lock = false }: StoreOptions = {}): Promise<Store> {
  const store = /^postgres(?:ql)?:\/\//.test(place) ? await openPostgres(place) : openSqlite(place, lock);
  try {
    await migrate(store.db);
    return store;
  } catch (error) {
    await store.close().catch(() => {});
    throw error;
  }
}

function openSqlite(place: string, lock: boolean): Store {
  const client = new SqliteClient(place === 'memory' ? ':memory:' : place, lock);
  const db = new Kysely<StoreTables>({ dialect: sqliteDialect(client) });
  return { kind: 'sqlite', db, close: () => db.destroy() };
}

async function openPostgres(url: string): Promise<Store> {
  // Only who uses it pays for loading it.
  const { default: pg } = await import('pg');
  const types = new pg.TypeOverrides();
  // Sums and counts come as texts, since they may pass 2^53; ours do not.
  for (const type of [pg.types.builtins.INT8, pg.types.builtins.NUMERIC]) types.setTypeParser(type, Number);
  const pool = new pg.Pool({ connectionString: url, types, max: 10, connectionTimeoutMillis: 5_000 });
  // A connection that breaks while nobody uses it is replaced by the next query.
  pool.on('error', () => {});
  // One that breaks in use has its query say so, and is an event beside that.
  pool.on('connect', client => client.on('error', () => {}));
  const db = new Kysely<StoreTables>({ dialect: new PostgresDialect({ pool }) });
  return { kind: 'postgres', db, close: () => db.destroy() };
}

/** Several replicas may start at once: Kysely holds a lock of the database's meanwhile. */
async function migrate(db: Kysely<StoreTables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (error instanceof RealmError) throw error;
  const message = error instanceof Error ? error.message : String(error);
  throw new RealmError('store_unavailable', `the store's tables cannot be made: ${message}`, { cause: error });
}
