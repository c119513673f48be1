import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('served_models')
    .addColumn('number', 'bigint', column => column.primaryKey())
    .addColumn('id', 'text', column => column.notNull())
    .addColumn('document', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('removed_at', 'bigint')
    .execute();
}
