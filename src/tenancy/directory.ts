import type { BlockList } from 'node:net';
import { RealmError } from '../errors.ts';
import type { KeyTable, TenantTable } from '../store/schema.ts';
import { addressesOf, isAmong } from './addresses.ts';
import { hashKey, keyIdOf } from './keys.ts';
import type { KeyDocument } from './operator-schema.ts';
import { toRate, toTenant } from './tenant-document.ts';
import {
  type AdminRequest,
  type Authenticate,
  type AuthorizeAdmin,
  type Principal,
  type Scope,
  scopes,
  type Tenant,
  type TenantKeys,
  tenantDefaults,
} from './tenants.ts';

/** A key, as it is looked up. */
export interface KnownKey {
  readonly id: string;
  readonly tenant: string;
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** Absent: the key stands in `realm.yaml`. */
  readonly document?: KeyDocument | undefined;
  readonly addresses?: BlockList | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
  usedAt?: number | undefined;
  /** Who has it, as long as the tenant is as it was. */
  principal?: { readonly of: Tenant; readonly value: Principal } | undefined;
}

interface StoredTenant {
  readonly tenant: Tenant;
  readonly disabled: boolean;
}

export interface FileEntries {
  /** Absent: the file names none. */
  readonly tenants?: readonly TenantKeys[] | undefined;
  readonly adminKeys?: readonly string[] | undefined;
  /** Where there are no tenants, whoever is there has all of them. */
  readonly tools?: readonly { readonly name: string }[] | undefined;
}

export interface DirectoryOptions extends FileEntries {
  /** Others reach the port: without tenants nobody is answered. */
  readonly reachable?: boolean;
  readonly now?: () => number;
}

/**
 * Tenants and keys, those of `realm.yaml` and those of the store, in memory: a key is found by its SHA-256, so nothing about it can be
 * told from the time that takes. What the file names goes before what the store has of the same name.
 */
export class Directory {
  readonly #reachable: boolean;
  readonly #now: () => number;
  #file: ReturnType<typeof fileOf>;
  /** Keys of `server.admin_keys`, which are no tenant's; absent: the file has none. */
  #admins: ReadonlyMap<string, KnownKey> | undefined;
  readonly #stored = new Map<string, StoredTenant>();
  readonly #keys = new Map<string, KnownKey>();
  readonly #keyIds = new Map<string, KnownKey>();
  readonly #storedAdmins = new Set<string>();
  /** The store has or had tenants: the server has keys, and stays so. */
  #keyed = false;
  #used = new Set<KnownKey>();
  #anybody: Principal;

  constructor({ reachable = false, now = Date.now, ...entries }: DirectoryOptions = {}) {
    this.#reachable = reachable;
    this.#now = now;
    this.#file = fileOf(entries);
    this.#admins = adminsOf(entries);
    this.#anybody = anybodyOf(entries);
  }

  /** There are no keys: whoever reaches the port is the tenant `default`. */
  get open(): boolean {
    return this.#file.tenants === undefined && !this.#keyed && !this.#reachable;
  }

  /** The store has or had tenants, or keys of the file's. */
  get hasStored(): boolean {
    return this.#keyed;
  }

  /** Takes what a newly read file says, all at once. */
  setFile(entries: FileEntries): void {
    this.#file = fileOf(entries);
    this.#admins = adminsOf(entries);
    this.#anybody = anybodyOf(entries);
  }

  isOfFile(tenant: string): boolean {
    return this.#file.tenants?.has(tenant) ?? false;
  }

  /** All tenants by their ids; those that are disabled too. */
  *tenants(): Iterable<Tenant> {
    if (this.open) yield this.#anybody.tenant;
    yield* this.#file.tenants?.values() ?? [];
    for (const [id, { tenant }] of this.#stored) if (!this.isOfFile(id)) yield tenant;
  }

  /** A tenant that is there, disabled or not. */
  tenant(id: string): Tenant | undefined {
    if (this.open) return id === this.#anybody.tenant.id ? this.#anybody.tenant : undefined;
    return this.#file.tenants?.get(id) ?? this.#stored.get(id)?.tenant;
  }

  isDisabled(id: string): boolean {
    return !this.isOfFile(id) && (this.#stored.get(id)?.disabled ?? false);
  }

  /** The keys of a tenant, those of the file first. */
  keysOf(tenant: string): KnownKey[] {
    const all = [...this.#file.keys.values(), ...this.#keys.values()];
    return all.filter(key => key.tenant === tenant);
  }

  /** A key by its public id. */
  key(id: string): KnownKey | undefined {
    return this.#keyIds.get(id) ?? this.#file.keyIds.get(id);
  }

  /** The key's budgets and rates go with its principal. */
  principalOf(keyId: string): Principal | undefined {
    const key = this.key(keyId);
    return key && this.#principal(key);
  }

  /** Rows that were added or have changed. */
  applyTenants(rows: readonly TenantTable[]): void {
    for (const { id, document, disabled, deleted } of rows) {
      this.#keyed = true;
      if (deleted) this.#stored.delete(id);
      else this.#stored.set(id, { tenant: toTenant(id, JSON.parse(document)), disabled: disabled === 1 });
    }
  }

  applyKeys(rows: readonly KeyTable[]): void {
    for (const row of rows) {
      this.#keyed = true;
      const key = keyOf(row, this.#keyIds.get(row.id)?.usedAt);
      this.#keys.set(row.hash, key);
      this.#keyIds.set(row.id, key);
      if (this.#isValid(key) && key.scopes.some(scope => scope !== 'inference')) this.#storedAdmins.add(key.id);
      else this.#storedAdmins.delete(key.id);
    }
  }

  /** Keys of the store that have been used since this was last asked. */
  takeUsed(): readonly KnownKey[] {
    const used = [...this.#used];
    this.#used = new Set();
    return used;
  }

  readonly authenticate: Authenticate = (authorization, remoteAddress) => {
    if (this.open) return this.#anybody;
    const hash = hashKey(bearer(authorization));
    const stored = this.#keys.get(hash);
    const key = this.#file.keys.get(hash) ?? stored;
    const principal = key && this.#isValid(key) ? this.#principal(key) : undefined;
    if (!key || !principal)
      throw new RealmError('invalid_api_key', 'The API key is missing or wrong: send Authorization: Bearer <key>');
    this.#use(key, remoteAddress);
    return principal;
  };

  readonly authorizeAdmin: AuthorizeAdmin = (authorization, request = {}) => {
    if (this.#admins === undefined && this.#storedAdmins.size === 0) {
      if (this.open) return undefined;
      const message =
        'This is for the operator, and nobody has a key for it: name one in server.admin_keys of realm.yaml';
      throw new RealmError('no_admin_keys', message);
    }
    const hash = hashKey(bearer(authorization));
    const stored = this.#keys.get(hash);
    const key = this.#admins?.get(hash) ?? stored;
    const valid = key !== undefined && this.#isValid(key) && (key.tenant === '' || this.#principal(key) !== undefined);
    if (!valid || !(key.scopes.includes('admin') || key.scopes.includes('read')))
      throw new RealmError(
        'invalid_api_key',
        'This is for the operator: send a key of server.admin_keys in realm.yaml, or one with the scope admin',
      );
    this.#use(key, request.remoteAddress);
    checkScope(key, request);
    return key.id;
  };

  #isValid({ expiresAt, revokedAt }: KnownKey): boolean {
    return revokedAt === undefined && (expiresAt === undefined || expiresAt > this.#now());
  }

  #use(key: KnownKey, remoteAddress: string | undefined): void {
    if (key.addresses && !isAmong(key.addresses, remoteAddress))
      throw new RealmError('permission_denied', `The key ${key.id} may not be used from this address`);
    key.usedAt = this.#now();
    if (key.document) this.#used.add(key);
  }

  /** Undefined where the tenant is disabled or not there. */
  #principal(key: KnownKey): Principal | undefined {
    const tenant = this.tenant(key.tenant);
    if (!tenant || this.isDisabled(key.tenant)) return undefined;
    if (key.principal?.of !== tenant) key.principal = { of: tenant, value: principalOf(key, tenant) };
    return key.principal.value;
  }
}

/** A key that may only look may not change anything. */
function checkScope({ id, scopes }: KnownKey, { method = 'GET' }: AdminRequest): void {
  if (scopes.includes('admin') || method === 'GET' || method === 'HEAD') return;
  throw new RealmError('permission_denied', `The key ${id} may only look: it has the scope read, and not admin`);
}

function principalOf({ id, scopes, document = {} }: KnownKey, tenant: Tenant): Principal {
  const { models, adapters, budgets, rate } = document;
  const limited = models === undefined && adapters === undefined ? tenant : { ...tenant, models, adapters };
  return { tenant: limited, keyId: id, scopes, budgets, rate: toRate(rate) };
}

function anybodyOf({ tools = [] }: FileEntries): Principal {
  return {
    tenant: { id: 'default', ...tenantDefaults, tools: tools.map(({ name }) => name) },
    keyId: undefined,
    scopes,
  };
}

function fileOf({ tenants }: FileEntries) {
  const keys = (tenants ?? []).flatMap(({ id, keys }) =>
    keys.map((hash): KnownKey => ({ id: keyIdOf(hash), tenant: id, hash, scopes: ['inference'] })),
  );
  return {
    tenants: tenants && new Map<string, Tenant>(tenants.map(({ keys: _, ...tenant }) => [tenant.id, tenant])),
    keys: new Map(keys.map(key => [key.hash, key])),
    keyIds: new Map(keys.map(key => [key.id, key])),
  };
}

function adminsOf({ adminKeys }: FileEntries): ReadonlyMap<string, KnownKey> | undefined {
  return (
    adminKeys && new Map(adminKeys.map(hash => [hash, { id: keyIdOf(hash), tenant: '', hash, scopes: ['admin'] }]))
  );
}

function keyOf(row: KeyTable, usedAt: number | undefined): KnownKey {
  const document: KeyDocument = JSON.parse(row.document);
  return {
    id: row.id,
    tenant: row.tenant,
    hash: row.hash,
    scopes: document.scopes ?? ['inference'],
    document,
    addresses: document.addresses && addressesOf(document.addresses),
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    usedAt: usedAt ?? row.last_used_at ?? undefined,
  };
}

function bearer(authorization: string | undefined): string {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
}
