import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('calls')
    .addColumn('request_id', 'text', column => column.notNull())
    .addColumn('call', 'integer', column => column.notNull())
    .addColumn('tenant', 'text', column => column.notNull())
    .addColumn('key_id', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('adapter', 'text', column => column.notNull())
    .addColumn('requests', 'integer', column => column.notNull())
    .addColumn('model_requests', 'integer', column => column.notNull())
    .addColumn('input_tokens', 'bigint', column => column.notNull())
    .addColumn('cached_tokens', 'bigint', column => column.notNull())
    .addColumn('output_tokens', 'bigint', column => column.notNull())
    .addColumn('cost', 'bigint', column => column.notNull())
    .addColumn('status', 'text', column => column.notNull())
    .addColumn('at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('calls_key', ['request_id', 'call'])
    .execute();
  await db.schema.createIndex('calls_of_tenants').on('calls').columns(['tenant', 'at', 'request_id', 'call']).execute();
  await db.schema.createIndex('calls_by_time').on('calls').columns(['at', 'request_id', 'call']).execute();
  await db.schema
    .createTable('usage')
    .addColumn('day', 'integer', column => column.notNull())
    .addColumn('tenant', 'text', column => column.notNull())
    .addColumn('key_id', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('adapter', 'text', column => column.notNull())
    .addColumn('calls', 'bigint', column => column.notNull())
    .addColumn('requests', 'bigint', column => column.notNull())
    .addColumn('model_requests', 'bigint', column => column.notNull())
    .addColumn('input_tokens', 'bigint', column => column.notNull())
    .addColumn('cached_tokens', 'bigint', column => column.notNull())
    .addColumn('output_tokens', 'bigint', column => column.notNull())
    .addColumn('cost', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('usage_key', ['tenant', 'day', 'key_id', 'model', 'adapter'])
    .execute();
  await db.schema
    .createTable('budgets')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('spent', 'bigint', column => column.notNull())
    .execute();
  await db.schema
    .createTable('leases')
    .addColumn('replica', 'text', column => column.notNull())
    .addColumn('budget', 'text', column => column.notNull())
    .addColumn('amount', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('leases_key', ['budget', 'replica'])
    .execute();
  await db.schema
    .createTable('running_calls')
    .addColumn('request_id', 'text', column => column.notNull())
    .addColumn('call', 'integer', column => column.notNull())
    .addColumn('replica', 'text', column => column.notNull())
    .addColumn('budgets', 'text', column => column.notNull())
    .addColumn('tenant', 'text', column => column.notNull())
    .addColumn('key_id', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('adapter', 'text', column => column.notNull())
    .addColumn('requests', 'integer', column => column.notNull())
    .addColumn('model_requests', 'integer', column => column.notNull())
    .addColumn('input_tokens', 'bigint', column => column.notNull())
    .addColumn('cached_tokens', 'bigint', column => column.notNull())
    .addColumn('output_tokens', 'bigint', column => column.notNull())
    .addColumn('cost', 'bigint', column => column.notNull())
    .addColumn('at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('running_calls_key', ['request_id', 'call'])
    .execute();
  await sql`create index running_calls_of_replicas on running_calls (replica)`.execute(db);
}
