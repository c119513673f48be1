import type { SQLInputValue } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { SqliteClient } from './sqlite-client.ts';

/** Kysely on a SQLite file that lies in a thread of its own. */
export function sqliteDialect(client: SqliteClient): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new SqliteThreadDriver(client),
    createIntrospector: database => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** One connection; Kysely has callers take turns with it. */
class SqliteThreadDriver implements Driver {
  readonly #client: SqliteClient;

  constructor(client: SqliteClient) {
    this.#client = client;
  }

  async init(): Promise<void> {
    await this.#client.opened();
  }

  async acquireConnection(): Promise<SqliteConnection> {
    return new SqliteConnection(this.#client);
  }

  async beginTransaction(connection: SqliteConnection): Promise<void> {
    connection.begin();
  }

  commitTransaction(connection: SqliteConnection): Promise<void> {
    return connection.end('commit');
  }

  rollbackTransaction(connection: SqliteConnection): Promise<void> {
    return connection.end('rollback');
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#client.close();
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #client: SqliteClient;
  /** A transaction begins with its first statement: that saves a change of threads. */
  #begins = false;

  constructor(client: SqliteClient) {
    this.#client = client;
  }

  begin(): void {
    this.#begins = true;
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    const empty = this.#begins;
    this.#begins = false;
    if (!empty) await this.#client.query(how, []);
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const begins = this.#begins;
    this.#begins = false;
    const answer = await this.#client.query(sql, parameters as readonly SQLInputValue[], begins);
    const { rows = [], changes, insertId } = answer;
    return { rows: rows as R[], ...(changes !== undefined && { numAffectedRows: changes, insertId: insertId ?? 0n }) };
  }

  streamQuery(): never {
    throw new Error('rows are not streamed; ask for them in pages');
  }
}
