import { type Kysely, sql } from 'kysely';

/** `changed` is the number of the audit entry that tells of a row's last change: whoever has read up to it reads on from there. */
export async function up(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('tenants')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('document', 'text', column => column.notNull())
    .addColumn('disabled', 'integer', column => column.notNull())
    .addColumn('deleted', 'integer', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('changed', 'bigint', column => column.notNull())
    .execute();
  await db.schema
    .createTable('api_keys')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('tenant', 'text', column => column.notNull())
    .addColumn('hash', 'text', column => column.notNull().unique())
    .addColumn('document', 'text', column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('revoked_at', 'bigint')
    .addColumn('cancels', 'integer', column => column.notNull())
    .addColumn('last_used_at', 'bigint')
    .addColumn('changed', 'bigint', column => column.notNull())
    .execute();
  await db.schema
    .createTable('audit')
    .addColumn('seq', 'bigint', column => column.primaryKey())
    .addColumn('at', 'bigint', column => column.notNull())
    .addColumn('actor', 'text', column => column.notNull())
    .addColumn('action', 'text', column => column.notNull())
    .addColumn('target', 'text', column => column.notNull())
    .addColumn('detail', 'text', column => column.notNull())
    .addColumn('previous', 'text', column => column.notNull())
    .addColumn('hash', 'text', column => column.notNull())
    .execute();
  await db.schema
    .createTable('audit_head')
    .addColumn('seq', 'bigint', column => column.notNull())
    .addColumn('hash', 'text', column => column.notNull())
    .execute();
  await sql`insert into audit_head (seq, hash) values (0, '')`.execute(db);
  await db.schema.createIndex('tenants_changed').on('tenants').column('changed').execute();
  await db.schema.createIndex('api_keys_changed').on('api_keys').columns(['changed', 'id']).execute();
  await db.schema.createIndex('api_keys_tenant').on('api_keys').column('tenant').execute();
}
