import { RealmError } from '../errors.ts';
import type { KeyTable, TenantTable } from '../store/schema.ts';
import type { AuditEntry } from './audit.ts';
import { isKeyId, keyIdOf } from './keys.ts';
import type { CreateKey, CreateTenant, KeyDocument, UpdateKey, UpdateTenant } from './operator-schema.ts';
import { type ProgramRef, toProgramRef } from './program-ref.ts';
import { name } from './schema.ts';
import { tenantAnswer, toTenant } from './tenant-document.ts';
import { keyNotFound, type TenantStore, tenantNotFound } from './tenant-store.ts';
import type { TenantKeys } from './tenants.ts';

export interface TenantAnswer {
  readonly id: string;
  readonly source: 'file' | 'store';
  readonly disabled: boolean;
  readonly [field: string]: unknown;
}

export interface KeyAnswer {
  readonly id: string;
  readonly source: 'file' | 'store';
  readonly name: string | null;
  readonly scopes: readonly string[];
  readonly models: readonly string[] | null;
  readonly adapters: readonly string[] | null;
  readonly addresses: readonly string[] | null;
  readonly created_at: string | null;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
  readonly [field: string]: unknown;
}

/** What an operator does with tenants and keys, in the API's shapes: the routes, the commands on a store, and the commands on a server have it. */
export interface Operator {
  tenants(): Promise<TenantAnswer[]>;
  tenant(id: string): Promise<TenantAnswer>;
  createTenant(body: CreateTenant): Promise<TenantAnswer>;
  updateTenant(id: string, body: UpdateTenant): Promise<TenantAnswer>;
  deleteTenant(id: string, cancel: boolean): Promise<void>;
  keys(tenant: string): Promise<KeyAnswer[]>;
  createKey(tenant: string, body: CreateKey): Promise<KeyAnswer & { readonly key: string }>;
  updateKey(tenant: string, id: string, body: UpdateKey): Promise<KeyAnswer>;
  rotateKey(tenant: string, id: string, overlapSeconds: number): Promise<KeyAnswer & { readonly key: string }>;
  revokeKey(tenant: string, id: string, cancel: boolean): Promise<KeyAnswer>;
  audit(after: number, limit: number): Promise<AuditEntry[]>;
}

export interface OperatorParts {
  readonly actor: string;
  readonly store: TenantStore;
  readonly audit: { list(page: { after: number; limit: number }): Promise<AuditEntry[]> };
  /** The tenants of `realm.yaml`. */
  readonly file: readonly TenantKeys[];
  /** When keys of the file were last used, milliseconds since 1970, as far as this process knows. */
  readonly usedAt?: (keyId: string) => number | undefined;
  /** Whether a tenant may be given a program; throws `program_not_found`. Absent: nobody knows. */
  readonly checkProgram?: ((tenant: string, ref: ProgramRef) => void | Promise<void>) | undefined;
}

/** On a store, with what `realm.yaml` names: that goes first, and cannot be changed here. */
export class StoreOperator implements Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  async tenants(): Promise<TenantAnswer[]> {
    const { file, store } = this.#parts;
    const named = new Set(file.map(({ id }) => id));
    const rows = (await store.tenants()).filter(({ id }) => !named.has(id));
    return [...file.map(fileTenant), ...rows.map(storedTenant)];
  }

  async tenant(id: string): Promise<TenantAnswer> {
    const named = this.#ofFile(id);
    const row = named || !isTenantId(id) ? undefined : await this.#parts.store.tenant(id);
    if (named) return fileTenant(named);
    if (row) return storedTenant(row);
    throw tenantNotFound(id);
  }

  async createTenant(body: CreateTenant): Promise<TenantAnswer> {
    if (this.#ofFile(body.id))
      throw new RealmError('tenant_exists', `There is a tenant ${body.id} in realm.yaml`, { param: 'id' });
    await this.#checkProgram(body.id, body);
    return storedTenant(await this.#parts.store.createTenant(this.#parts.actor, body));
  }

  async updateTenant(id: string, body: UpdateTenant): Promise<TenantAnswer> {
    this.#notOfFile(id);
    await this.#checkProgram(id, body);
    return storedTenant(await this.#parts.store.updateTenant(this.#parts.actor, id, body));
  }

  async deleteTenant(id: string, cancel: boolean): Promise<void> {
    this.#notOfFile(id);
    await this.#parts.store.deleteTenant(this.#parts.actor, id, cancel);
  }

  async keys(tenant: string): Promise<KeyAnswer[]> {
    await this.tenant(tenant);
    const named = this.#fileKeys(tenant).map(id => this.#fileKey(id));
    return [...named, ...(await this.#parts.store.keys(tenant)).map(row => this.#storedKey(row))];
  }

  async createKey(tenant: string, body: CreateKey) {
    await this.tenant(tenant);
    const { row, key } = await this.#parts.store.createKey(this.#parts.actor, tenant, body);
    return { ...this.#storedKey(row), key };
  }

  async updateKey(tenant: string, id: string, body: UpdateKey): Promise<KeyAnswer> {
    this.#changeable(tenant, id);
    return this.#storedKey(await this.#parts.store.updateKey(this.#parts.actor, tenant, id, body));
  }

  async rotateKey(tenant: string, id: string, overlapSeconds: number) {
    this.#changeable(tenant, id);
    const { row, key } = await this.#parts.store.rotateKey(this.#parts.actor, tenant, id, overlapSeconds * 1000);
    return { ...this.#storedKey(row), key };
  }

  async revokeKey(tenant: string, id: string, cancel: boolean): Promise<KeyAnswer> {
    this.#changeable(tenant, id);
    return this.#storedKey(await this.#parts.store.revokeKey(this.#parts.actor, tenant, id, cancel));
  }

  audit(after: number, limit: number): Promise<AuditEntry[]> {
    return this.#parts.audit.list({ after, limit });
  }

  async #checkProgram(tenant: string, { program }: Pick<UpdateTenant, 'program'>): Promise<void> {
    if (program) await this.#parts.checkProgram?.(tenant, toProgramRef(program));
  }

  #ofFile(id: string): TenantKeys | undefined {
    return this.#parts.file.find(tenant => tenant.id === id);
  }

  #notOfFile(id: string): void {
    if (this.#ofFile(id)) throw definedInFile(`The tenant ${id}`);
    if (!isTenantId(id)) throw tenantNotFound(id);
  }

  #fileKeys(tenant: string): string[] {
    return this.#ofFile(tenant)?.keys.map(keyIdOf) ?? [];
  }

  #changeable(tenant: string, id: string): void {
    if (this.#fileKeys(tenant).includes(id)) throw definedInFile(`The key ${id}`);
    if (!isTenantId(tenant) || !isKeyId(id)) throw keyNotFound();
  }

  #fileKey(id: string): KeyAnswer {
    return { id, source: 'file', ...keyFields({}), ...noTimes, last_used_at: time(this.#parts.usedAt?.(id)) };
  }

  #storedKey(row: KeyTable): KeyAnswer {
    const used = this.#parts.usedAt?.(row.id) ?? row.last_used_at;
    return {
      id: row.id,
      source: 'store',
      ...keyFields(JSON.parse(row.document)),
      created_at: time(row.created_at),
      expires_at: time(row.expires_at),
      revoked_at: time(row.revoked_at),
      last_used_at: time(used),
    };
  }
}

/** Databases take no text that can be none. */
const isTenantId = (id: string): boolean => name.safeParse(id).success;

function definedInFile(what: string): RealmError {
  return new RealmError('defined_in_file', `${what} stands in realm.yaml: change the file, it is read again by itself`);
}

function fileTenant(tenant: TenantKeys): TenantAnswer {
  return { id: tenant.id, source: 'file', disabled: false, ...tenantAnswer(tenant) };
}

function storedTenant({ id, document, disabled }: TenantTable): TenantAnswer {
  return { id, source: 'store', disabled: disabled === 1, ...tenantAnswer(toTenant(id, JSON.parse(document))) };
}

const noTimes = { created_at: null, expires_at: null, revoked_at: null };

function keyFields({ name, scopes = ['inference'], models, adapters, addresses, budgets, rate }: KeyDocument) {
  return {
    name: name ?? null,
    scopes,
    models: models ?? null,
    adapters: adapters ?? null,
    addresses: addresses ?? null,
    budgets: budgets ?? [],
    rate: rate ?? null,
  };
}

function time(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}
