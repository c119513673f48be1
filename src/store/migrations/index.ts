import type { Migration } from 'kysely/migration';
import * as replicas from './001-replicas.ts';
import * as servedModels from './030-served-models.ts';

/** Steps from one shape of the tables to the next, run in the order of their names; one that was released never changes. */
export const migrations: Readonly<Record<string, Migration>> = {
  '001-replicas': replicas,
  '030-served-models': servedModels,
};
