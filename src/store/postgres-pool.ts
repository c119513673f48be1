import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool } from 'pg';
import { RealmError } from '../errors.ts';

/** The pool, whose failures have our names: a database that is not there is `store_unavailable`, a query that is wrong stays what it is. */
export function namedFailures(pool: Pool): PostgresPool {
  return {
    async connect() {
      const client = await pool.connect().catch(refuse);
      const query = (...args: Parameters<typeof client.query>) => Promise.resolve(client.query(...args)).catch(refuse);
      return { query, release: () => client.release() } as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

/** Classes of SQLSTATE of a server that cannot work: lost connections, want of resources, shutting down, the disk. */
const unavailable = /^(08|53|57P|58|XX)/;

function refuse(error: Error & { code?: string; severity?: string }): never {
  // Only the server's own answers have one; the rest are the connection's.
  if (error.severity !== undefined && !unavailable.test(error.code ?? '')) throw error;
  const message = `the store cannot be used: ${error.message || error.code}; try again in a moment`;
  throw new RealmError('store_unavailable', message, { cause: error, retryAfter: 1 });
}
