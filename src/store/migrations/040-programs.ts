import type { Kysely } from 'kysely';

/** SQLite takes the name of PostgreSQL's type for bytes as it takes any, and keeps bytes as they are. */
export async function up(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('programs')
    .addColumn('owner', 'text', column => column.notNull())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('current', 'integer', column => column.notNull())
    .addColumn('last', 'integer', column => column.notNull())
    .addColumn('deleted', 'integer', column => column.notNull())
    .addColumn('changed', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('programs_key', ['owner', 'name'])
    .execute();
  await db.schema
    .createTable('program_versions')
    .addColumn('owner', 'text', column => column.notNull())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('version', 'integer', column => column.notNull())
    .addColumn('digest', 'text', column => column.notNull())
    .addColumn('size', 'integer', column => column.notNull())
    .addColumn('note', 'text')
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('created_by', 'text', column => column.notNull())
    .addColumn('module', 'bytea', column => column.notNull())
    .addPrimaryKeyConstraint('program_versions_key', ['owner', 'name', 'version'])
    .execute();
  await db.schema.createIndex('programs_changed').on('programs').column('changed').execute();
}
