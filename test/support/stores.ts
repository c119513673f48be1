/** Stores of each kind: what is kept must be the same in all. */
import { after, describe, test } from 'node:test';
import { openStore, type Store } from '../../src/store/open.ts';
import type { StoreTables } from '../../src/store/schema.ts';
import { noPostgres, type Postgres, startPostgres } from './postgres.ts';

/** Defines a test that gets a store in which these tables are empty. */
export type StoreTest = (name: string, run: (store: Store) => Promise<void>) => void;

/** Defines the tests for SQLite and for PostgreSQL. */
export function onEachStore(tables: readonly (keyof StoreTables)[], define: (storeTest: StoreTest) => void): void {
  describe('SQLite', () => define((name, run) => void test(name, () => withStore('memory', tables, run))));
  describe('PostgreSQL', { skip: noPostgres }, () => {
    let postgres: Promise<Postgres> | undefined;
    after(async () => (await postgres)?.close());
    define((name, run) => {
      test(name, async () => {
        postgres ??= startPostgres();
        await withStore((await postgres).url, tables, run);
      });
    });
  });
}

async function withStore(
  place: string,
  tables: readonly (keyof StoreTables)[],
  run: (store: Store) => Promise<void>,
): Promise<void> {
  const store = await openStore(place);
  try {
    for (const table of tables) await store.db.deleteFrom(table).execute();
    await run(store);
  } finally {
    await store.close();
  }
}
