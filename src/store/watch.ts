import { type Kysely, sql, type Transaction } from 'kysely';
import type { Store } from './open.ts';
import type { StoreTables } from './schema.ts';

/** How soon changes are seen: of a SQLite file by looking, of PostgreSQL at once; looking there is for what was not heard. */
const lookMs = { sqlite: 500, postgres: 5000 };
const reconnectMs = 500;
const channel = 'realm';

/** Calls `changed` after others have written to the store; more often does no harm. Returns what ends it. */
export function watchStore(store: Store, changed: () => void): () => Promise<void> {
  return store.kind === 'postgres' ? listenAndLook(store.place, changed) : lookAtVersion(store, changed);
}

/** Within a transaction: servers on the same PostgreSQL hear of it when it is committed. */
export async function announce({ kind }: Pick<Store, 'kind'>, trx: Transaction<StoreTables>): Promise<void> {
  if (kind === 'postgres') await sql`select pg_notify(${channel}, '')`.execute(trx);
}

function lookAtVersion({ db }: Store, changed: () => void): () => Promise<void> {
  let known: number | undefined;
  let looking = Promise.resolve();
  const look = async () => {
    // It moves with what other connections commit, not with what this one does.
    const version = await dataVersion(db).catch(() => known);
    if (known !== undefined && version !== known) changed();
    known = version;
  };
  const turn = () => {
    looking = looking.then(look);
  };
  turn();
  const timer = setInterval(turn, lookMs.sqlite).unref();
  return async () => {
    clearInterval(timer);
    await looking;
  };
}

async function dataVersion(db: Kysely<StoreTables>): Promise<number | undefined> {
  const { rows } = await sql<{ data_version: number }>`pragma data_version`.execute(db);
  return rows[0]?.data_version;
}

function listenAndLook(url: string, changed: () => void): () => Promise<void> {
  let end = () => {};
  const ended = new Promise<void>(resolve => {
    end = resolve;
  });
  let stopped = false;
  const listening = (async () => {
    const { default: pg } = await import('pg');
    while (!stopped) {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
      const lost = new Promise<void>(resolve => {
        client.on('error', () => resolve());
        client.on('end', () => resolve());
      });
      client.on('notification', changed);
      try {
        await client.connect();
        await client.query(`listen ${channel}`);
        // What was said before is to be read.
        changed();
        await Promise.race([lost, ended]);
      } catch {
        // Looking goes on meanwhile.
      }
      await client.end().catch(() => {});
      if (!stopped) await Promise.race([new Promise(resolve => setTimeout(resolve, reconnectMs).unref()), ended]);
    }
  })();
  const timer = setInterval(changed, lookMs.postgres).unref();
  return async () => {
    stopped = true;
    clearInterval(timer);
    end();
    await listening;
  };
}
