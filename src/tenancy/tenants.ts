import type { TenantShare } from '../engine/request.ts';
import type { Budget } from '../metering/budgets.ts';
import type { Rate } from '../rates/rate.ts';
import type { RunLimits } from '../sandbox/types.ts';
import { defaultRunLimits } from './program-limits.ts';
import type { ProgramPlace } from './program-ref.ts';

export interface Tenant {
  readonly id: string;
  /** What answers its requests that name no other; absent: the default program. */
  readonly program?: ProgramPlace | undefined;
  /** Adapter of its requests that do not name another. */
  readonly adapter?: string | undefined;
  /** Memory that one instance of its program may have. */
  readonly memoryMb: number;
  /** Wall-clock limit of one request, from the start of the program to its end. */
  readonly deadlineMs: number;
  /** What else its program may use. */
  readonly programLimits: RunLimits;
  /** How long a request may wait for its first step. */
  readonly queueMs?: number | undefined;
  /** Requests that may wait, for each model; absent: as many as the engine's default. */
  readonly maxQueued?: number | undefined;
  /** Its share of a model beside other tenants' that want it too; absent: 1. */
  readonly weight?: number | undefined;
  /** Control tokens in messages are read as if the template had written them. */
  readonly parseSpecial?: boolean | undefined;
  /** At level `debug` its prompts and answers are logged. */
  readonly debug?: boolean | undefined;
  /** The most that it may use. */
  readonly budgets?: readonly Budget[] | undefined;
  readonly rate?: Rate | undefined;
  /** Pipelines that it may run; absent: all. */
  readonly pipelines?: readonly string[] | undefined;
  /** Names of tools that its programs and pipelines may call; absent: none. */
  readonly tools?: readonly string[] | undefined;
  /** What may be named, where the key that was used says so; absent: all. */
  readonly models?: readonly string[] | undefined;
  readonly adapters?: readonly string[] | undefined;
}

export interface TenantKeys extends Tenant {
  /** Hashes as in `realm.yaml`. */
  readonly keys: readonly string[];
}

export const tenantDefaults = { memoryMb: 64, deadlineMs: 600_000, programLimits: defaultRunLimits };

/** What a key may be used for: to ask models, to look at what the operator sees, to do all that the operator may. */
export const scopes = ['inference', 'read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who asks. */
export interface Principal {
  readonly tenant: Tenant;
  /** The public id of the key; undefined on a server without keys. */
  readonly keyId: string | undefined;
  readonly scopes: readonly Scope[];
  /** Of the key, beside those of its tenant. */
  readonly budgets?: readonly Budget[] | undefined;
  readonly rate?: Rate | undefined;
}

/** Turns an `Authorization` header into whoever asks, or throws `invalid_api_key`, `permission_denied`. */
export type Authenticate = (authorization: string | undefined, remoteAddress?: string) => Principal;

/** What an operator's request is. */
export interface AdminRequest {
  readonly method?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

/** Lets the operator pass and gives the public id of the key (undefined where none is needed), or throws `invalid_api_key`, `no_admin_keys`, `permission_denied`. */
export type AuthorizeAdmin = (authorization: string | undefined, request?: AdminRequest) => string | undefined;

/** What falls to a tenant where it shares an engine. */
export function shareOf({ weight, maxQueued }: Tenant): TenantShare {
  return { weight, maxWaiting: maxQueued };
}

/** Whether a tenant may run a pipeline. */
export function mayUsePipeline({ pipelines }: Pick<Tenant, 'pipelines'>, name: string): boolean {
  return pipelines === undefined || pipelines.includes(name);
}

/** Whether the key that a tenant asks with may name a model. */
export function mayUseModel({ models }: Pick<Tenant, 'models'>, id: string): boolean {
  return models === undefined || models.includes(id);
}
