/**
 * The tables of a store, for Kysely. Times are milliseconds since 1970, money is in billionths of the currency's unit; all
 * numbers stay below 2^53. Lists and records are texts of JSON.
 */
export interface StoreTables {
  readonly replicas: ReplicaTable;
  readonly idempotency_keys: IdempotencyTable;
  readonly outbox: OutboxTable;
}

/** Servers that share the store. One that has not been seen for a while is dead, and what it held is anybody's. */
export interface ReplicaTable {
  id: string;
  seen_at: number;
}

/** Answers to requests with an `Idempotency-Key`. */
export interface IdempotencyTable {
  /** Digest of whose it is and the key itself, which is not kept. */
  id: string;
  /** Whose it is: a tenant, or empty for the operator. */
  owner: string;
  /** Of the request. */
  digest: string;
  /** Of whoever answers it. */
  attempt: string;
  /** 0: it is being answered, and `expires_at` is renewed meanwhile. */
  ended: number;
  /** Sealed; null: it is being answered, or was too long. */
  answer: string | null;
  bytes: number;
  created_at: number;
  expires_at: number;
}

/** Events that webhooks are to be told. */
export interface OutboxTable {
  id: string;
  type: string;
  data: string;
  created_at: number;
  /** Addresses of webhooks that have been told. */
  delivered_to: string;
  attempts: number;
  /** Null: nobody is left to be told. */
  next_at: number | null;
}
