import { type RawBuilder, sql } from 'kysely';
import type { Store } from '../store/open.ts';

type ColumnType = 'text' | 'bigint';

/**
 * A list of records as a table `r` with these columns: the text of the query is the same for any number of rows, so that it is
 * compiled once.
 */
export function jsonRows<Column extends string>(
  { kind }: Pick<Store, 'kind'>,
  rows: readonly object[],
  columns: Readonly<Record<Column, ColumnType>>,
): RawBuilder<unknown> {
  const json = JSON.stringify(rows);
  const named = Object.entries<ColumnType>(columns);
  if (kind === 'postgres')
    return sql`json_to_recordset(${json}::json) as r(${sql.join(named.map(([name, type]) => sql`${sql.ref(name)} ${sql.raw(type)}`))})`;
  const values = named.map(([name]) => sql`value ->> ${sql.lit(name)} as ${sql.ref(name)}`);
  return sql`(select ${sql.join(values)} from json_each(${json})) as r`;
}

/** The names, as a list for `select` or `insert`. */
export const columnList = (columns: object): RawBuilder<unknown> =>
  sql.join(Object.keys(columns).map(name => sql.ref(name)));
