import type { Migration } from 'kysely/migration';
import * as replicas from './001-replicas.ts';
import * as servedModels from './005-served-models.ts';
import * as tenants from './010-tenants.ts';
import * as idempotency from './020-idempotency.ts';
import * as metering from './020-metering.ts';
import * as outbox from './021-outbox.ts';

/** Steps from one shape of the tables to the next, run in the order of their names; one that was released never changes. */
export const migrations: Readonly<Record<string, Migration>> = {
  '001-replicas': replicas,
  '005-served-models': servedModels,
  '010-tenants': tenants,
  '020-metering': metering,
  '020-idempotency': idempotency,
  '021-outbox': outbox,
};
