/** What the admin API answers, as far as the page reads it. Times are ISO strings; what a server lacks is left out. */

export interface List<T> {
  readonly data: readonly T[];
}

export interface Budget {
  readonly unit: 'tokens' | 'requests' | 'money';
  readonly period: 'day' | 'month' | 'total';
  readonly model?: string | null;
  readonly limit: number;
  readonly spent?: number;
}

export interface Rate {
  readonly requests_per_minute?: number;
  readonly tokens_per_minute?: number;
  readonly concurrent?: number;
}

export interface Tenant {
  readonly id: string;
  readonly source?: 'file' | 'store';
  readonly disabled?: boolean;
  readonly weight?: number | null;
  readonly max_queued?: number | null;
  readonly budgets?: readonly Budget[] | null;
  readonly rate?: Rate | null;
}

export interface Key {
  readonly id: string;
  readonly source?: 'file' | 'store';
  readonly name?: string | null;
  readonly scopes?: readonly string[] | null;
  readonly models?: readonly string[] | null;
  readonly addresses?: readonly string[] | null;
  readonly created_at?: string | null;
  readonly expires_at?: string | null;
  readonly revoked_at?: string | null;
  readonly last_used_at?: string | null;
}

/** The only answer that has the key itself. */
export interface CreatedKey extends Key {
  readonly key: string;
}

export interface Model {
  readonly id: string;
  readonly source?: 'file' | 'store';
  readonly state: 'unloaded' | 'loading' | 'ready' | 'failed';
  readonly error?: string | { readonly code?: string; readonly message?: string } | null;
  /** Of what is fetched or read. */
  readonly progress?: { readonly loaded: number; readonly total: number } | null;
  /** `cpu`, or a GPU: `gpu:0`. */
  readonly device?: string | null;
  readonly memory_bytes?: number | null;
  readonly gpu_memory_bytes?: number | null;
  readonly pinned?: boolean;
  readonly aliases?: readonly string[] | null;
  readonly idle_seconds?: number | null;
  readonly running?: number | null;
  readonly waiting?: number | null;
  readonly leases?: number | null;
  readonly loaded_at?: string | null;
  /** A page of this server that runs it in the browser. */
  readonly local_page?: string | null;
}

export interface OpenRequest {
  readonly id: string;
  readonly tenant?: string | null;
  readonly key_id?: string | null;
  readonly model?: string | null;
  readonly path?: string;
  readonly created_at?: string;
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
  readonly state?: 'waiting' | 'running';
}

export type RunState = 'running' | 'complete' | 'skipped' | 'failed' | 'cancelled';

interface RunFigures {
  readonly state: RunState;
  readonly ms: number | null;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly error?: { readonly code: string; readonly message: string } | null;
}

export interface PipelineRun extends RunFigures {
  readonly id: string;
  readonly pipeline: string;
  readonly tenant?: string;
  readonly created_at: string;
  /** Of one run. */
  readonly steps?: readonly PipelineStep[];
  readonly steps_left_out?: number;
}

export interface PipelineStep extends RunFigures {
  /** With the places of the items of the maps around it. */
  readonly step: string;
  readonly kind: string;
  readonly target?: string | null;
  /** Since the run began. */
  readonly at_ms: number;
  readonly retries: number;
}

export interface AuditEntry {
  readonly seq: number;
  readonly at: string;
  readonly actor?: string | null;
  readonly action: string;
  readonly target?: string | null;
  readonly detail?: unknown;
  readonly hash?: string;
}

export interface LiveTenant {
  readonly id: string;
  readonly running: number;
  readonly waiting: number;
  /** Of the tokens that are computed, from 0 to 1. */
  readonly share?: number | null;
  readonly tokens_per_second?: number | null;
  readonly first_token_ms?: { readonly p50?: number | null; readonly p95?: number | null } | null;
  readonly cached_share?: number | null;
  readonly budgets?: readonly Budget[] | null;
}

export interface Live {
  readonly tenants: readonly LiveTenant[];
  readonly models?: readonly Model[];
}

/** Grouped or single rows: which columns there are depends on what was asked. */
export type UsageRow = Readonly<Record<string, string | number | null>>;
