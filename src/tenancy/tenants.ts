import { RealmError } from '../errors.ts';
import { findKey } from './keys.ts';

export interface Tenant {
  readonly id: string;
  /** Absolute path of its own program; absent: the default program. */
  readonly program?: string | undefined;
  /** Adapter of its requests that do not name another. */
  readonly adapter?: string | undefined;
  /** Memory that one instance of its program may have. */
  readonly memoryMb: number;
  /** Wall-clock limit of one request, from the start of the program to its end. */
  readonly deadlineMs: number;
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
}

export interface Budget {
  readonly unit: 'tokens' | 'requests' | 'money';
  readonly limit: number;
  /** Days and months are those of UTC. */
  readonly period: 'day' | 'month' | 'total';
  /** Absent: all models together. */
  readonly model?: string | undefined;
}

/** What is absent is not limited. */
export interface Rate {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  readonly concurrent?: number | undefined;
}

export interface TenantKeys extends Tenant {
  /** Hashes as in `realm.yaml`. */
  readonly keys: readonly string[];
}

export const tenantDefaults = { memoryMb: 64, deadlineMs: 600_000 };

/** Turns an `Authorization` header into a tenant, or throws `invalid_api_key`. */
export type Authenticate = (authorization: string | undefined) => Tenant;

/** Keys as configured. Every failure (no header, another scheme, a wrong key) is the same error, after the same work. */
export function keyAuthentication(tenants: readonly TenantKeys[]): Authenticate {
  const owners = tenants.flatMap(tenant => tenant.keys.map(() => tenant));
  const hashes = tenants.flatMap(tenant => tenant.keys);
  return authorization => {
    const found = findKey(bearer(authorization), hashes);
    const owner = owners[found];
    if (!owner)
      throw new RealmError('invalid_api_key', 'The API key is missing or wrong: send Authorization: Bearer <key>');
    return owner;
  };
}

/** No configured tenants: whoever can reach the (loopback) port is the tenant `default`. */
export function openAuthentication(): Authenticate {
  const tenant: Tenant = { id: 'default', ...tenantDefaults };
  return () => tenant;
}

/** Lets the operator pass, or throws `invalid_api_key`, `no_admin_keys`. */
export type AuthorizeAdmin = (authorization: string | undefined) => void;

/** With keys, whoever has one; without, everyone on a server that is `open` to this machine only, and nobody on others. */
export function adminAuthorization(hashes: readonly string[] | undefined, open: boolean): AuthorizeAdmin {
  return authorization => {
    if (hashes === undefined) {
      if (open) return;
      const message =
        'This is for the operator, and nobody has a key for it: name one in server.admin_keys of realm.yaml';
      throw new RealmError('no_admin_keys', message);
    }
    if (findKey(bearer(authorization), hashes) >= 0) return;
    throw new RealmError('invalid_api_key', 'This is for the operator, with a key of server.admin_keys in realm.yaml');
  };
}

function bearer(authorization: string | undefined): string {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
}
