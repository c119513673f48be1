import type { Migration } from 'kysely/migration';
import * as replicas from './001-replicas.ts';
import * as tenants from './010-tenants.ts';
import * as metering from './020-metering.ts';
import * as idempotency from './030-idempotency.ts';
import * as servedModels from './030-served-models.ts';
import * as outbox from './031-outbox.ts';
import * as fuel from './040-fuel.ts';
import * as programs from './040-programs.ts';
import * as savedSequences from './041-saved-sequences.ts';

/** Steps from one shape of the tables to the next, run in the order of their names; one that was released never changes. */
export const migrations: Readonly<Record<string, Migration>> = {
  '001-replicas': replicas,
  '010-tenants': tenants,
  '020-metering': metering,
  '030-idempotency': idempotency,
  '030-served-models': servedModels,
  '031-outbox': outbox,
  '040-fuel': fuel,
  '040-programs': programs,
  '041-saved-sequences': savedSequences,
};
