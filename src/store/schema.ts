/**
 * The tables of a store, for Kysely. Times are milliseconds since 1970, money is in billionths of the currency's unit; all
 * numbers stay below 2^53. Lists and records are texts of JSON.
 */
export interface StoreTables {
  readonly replicas: ReplicaTable;
  readonly served_models: ServedModelTable;
}

/** Servers that share the store. One that has not been seen for a while is dead, and what it held is anybody's. */
export interface ReplicaTable {
  id: string;
  seen_at: number;
}

/** Models that an operator has named while the server ran, removed ones too: no number is used twice. */
export interface ServedModelTable {
  /** By which programs name it. */
  number: number;
  id: string;
  /** As an entry of `models` in `realm.yaml`. */
  document: string;
  created_at: number;
  removed_at: number | null;
}
