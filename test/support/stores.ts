/** The same tests on both kinds of store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openStore, type Store } from '../../src/store/open.ts';
import { noPostgres, type Postgres, startPostgres } from './postgres.ts';

export interface Places {
  /** Of a store that is empty when it is first asked for; the same one each time. */
  place(name: string): Promise<string>;
}

export function onBothStores(title: string, tests: (kind: 'sqlite' | 'postgres', places: Places) => void): void {
  describe(`${title}, on SQLite`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'realm-stores-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    tests('sqlite', { place: async name => join(folder, `${name}.db`) });
  });
  describe(`${title}, on PostgreSQL`, { skip: noPostgres }, () => {
    let postgres: Postgres;
    before(async () => {
      postgres = await startPostgres();
    });
    after(() => postgres.close());
    tests('postgres', { place: name => database(postgres.url, name) });
  });
}

async function database(url: string, name: string): Promise<string> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
  if (rowCount === 0) await client.query(`create database "${name}"`);
  await client.end();
  return url.replace(/[^/]*$/, name);
}

/** Defines a test that gets an open store of its own. */
export type StoreTest = (name: string, run: (store: Store) => Promise<void>) => void;

export function onEachStore(title: string, define: (storeTest: StoreTest) => void): void {
  onBothStores(title, (_, { place }) => {
    let count = 0;
    define((name, run) => {
      test(name, async () => {
        const store = await openStore(await place(`store${count++}`));
        await run(store).finally(() => store.close());
      });
    });
  });
}
