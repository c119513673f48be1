import type { Kysely } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('saved_sequences')
    .addColumn('tenant', 'text', column => column.notNull())
    .addColumn('key', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('adapter', 'text', column => column.notNull())
    .addColumn('tokens', 'text', column => column.notNull())
    .addColumn('answered', 'integer', column => column.notNull())
    .addColumn('paid', 'integer', column => column.notNull())
    .addColumn('bytes', 'integer', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('expires_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('saved_sequences_key', ['tenant', 'key'])
    .execute();
  await db.schema.createIndex('saved_sequences_expires_at').on('saved_sequences').column('expires_at').execute();
}
