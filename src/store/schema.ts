import type { Generated } from 'kysely';

/**
 * The tables of a store, for Kysely. Times are milliseconds since 1970, money is in billionths of the currency's unit; all
 * numbers stay below 2^53. Lists and records are texts of JSON.
 */
export interface StoreTables {
  readonly replicas: ReplicaTable;
  readonly tenants: TenantTable;
  readonly api_keys: KeyTable;
  readonly audit: AuditTable;
  readonly audit_head: AuditHeadTable;
  readonly served_models: ServedModelTable;
  readonly programs: ProgramTable;
  readonly program_versions: ProgramVersionTable;
  readonly calls: CallTable;
  readonly usage: UsageTable;
  readonly budgets: BudgetTable;
  readonly leases: LeaseTable;
  readonly running_calls: RunningCallTable;
  readonly idempotency_keys: IdempotencyTable;
  readonly outbox: OutboxTable;
  readonly saved_sequences: SavedSequenceTable;
}

/** Servers that share the store. One that has not been seen for a while is dead, and what it held is anybody's. */
export interface ReplicaTable {
  id: string;
  seen_at: number;
}

/** Tenants that were created at run time. A deleted one stays, so that other replicas hear of it. */
export interface TenantTable {
  id: string;
  /** Its fields, as `realm.yaml` names them. */
  document: string;
  /** 0 or 1, as all yes and no. */
  disabled: number;
  deleted: number;
  created_at: number;
  /** The number of the audit entry of its last change. */
  changed: number;
}

/** Keys that were created at run time, of tenants of both kinds. */
export interface KeyTable {
  /** Public. */
  id: string;
  tenant: string;
  hash: string;
  /** Name, scopes and limits. */
  document: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  /** Its requests were to end with its revocation. */
  cancels: number;
  last_used_at: number | null;
  changed: number;
}

/** What was done, each entry with the hash of the one before it. */
export interface AuditTable {
  seq: number;
  at: number;
  actor: string;
  action: string;
  target: string;
  detail: string;
  previous: string;
  hash: string;
}

/** The last entry, in one row: whoever adds one locks it first, so entries are in the order of their commits. */
export interface AuditHeadTable {
  seq: number;
  hash: string;
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

/** Programs that were uploaded. A deleted one stays, so that other replicas hear of it, and no number of a version is used twice. */
export interface ProgramTable {
  /** A tenant; empty: the operator's, for all. */
  owner: string;
  name: string;
  /** The version that answers. */
  current: number;
  /** The highest number that a version has had. */
  last: number;
  deleted: number;
  changed: number;
}

/** A version of a program never changes. */
export interface ProgramVersionTable {
  owner: string;
  name: string;
  version: number;
  /** SHA-256 of the module, hex. */
  digest: string;
  /** Bytes. */
  size: number;
  note: string | null;
  created_at: number;
  /** The public id of a key, as in the audit log. */
  created_by: string;
  module: Uint8Array;
}

/** What a call to an engine used. */
export interface UsageColumns {
  /** 1 for the first call of an HTTP request, 0 for its others. */
  requests: number;
  /** 1 for the first call of an HTTP request to this model. */
  model_requests: number;
  /** With those that the cache had. */
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  cost: number;
}

/** Whose a call is, and which; what is absent is an empty text, since keys may not have holes. */
export interface CallColumns extends UsageColumns {
  request_id: string;
  call: number;
  tenant: string;
  key_id: string;
  /** Of an adapter's call the model beneath it. */
  model: string;
  adapter: string;
  /** When it began. */
  at: number;
}

/** The ledger: a row for every call that has ended. */
export interface CallTable extends CallColumns {
  status: 'complete' | 'cancelled' | 'failed' | 'interrupted';
}

/** The ledger's sums, moved together with it. `day`: since 1970, in UTC. */
export interface UsageTable extends UsageColumns {
  tenant: string;
  day: number;
  key_id: string;
  model: string;
  adapter: string;
  calls: number;
  /** Of the runs of the tenant's own program. */
  fuel: Generated<number>;
}

/** What has been spent of a budget in one of its periods, by calls on record. */
export interface BudgetTable {
  id: string;
  spent: number;
}

/** What a replica has drawn of a budget and not put on record: nobody else may spend it. */
export interface LeaseTable {
  replica: string;
  budget: string;
  amount: number;
}

/** What is known of a call that runs, for whoever must settle it when its replica is dead. `budgets`: ids, as JSON. */
export interface RunningCallTable extends CallColumns {
  replica: string;
  budgets: string;
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

/** What programs keep of their sequences for later runs of the same tenant's. */
export interface SavedSequenceTable {
  tenant: string;
  /** The program's word for it. */
  key: string;
  /** Whose tokens they are. */
  model: string;
  adapter: string;
  /** Base64 of 32-bit numbers, little-endian, all of them after each other. */
  tokens: string;
  /** The last so many are the answer's. */
  answered: number;
  /** The first so many were charged for. */
  paid: number;
  bytes: number;
  created_at: number;
  expires_at: number;
}
