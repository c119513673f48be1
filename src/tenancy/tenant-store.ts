import type { Transaction } from 'kysely';
import { RealmError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { KeyTable, StoreTables, TenantTable } from '../store/schema.ts';
import type { AuditLog, AuditNote, Change } from './audit.ts';
import { createKey, newKeyId } from './keys.ts';
import type { CreateKey, CreateTenant, KeyDocument, UpdateKey, UpdateTenant } from './operator-schema.ts';

type Trx = Transaction<StoreTables>;

/** A key that was just made. */
export interface MadeKey {
  readonly row: KeyTable;
  /** Shown once, kept nowhere. */
  readonly key: string;
}

/** The tenants and keys that are created at run time. Each change stands in the audit log, and all servers on the store hear of it. */
export class TenantStore {
  readonly #store: Store;
  readonly #audit: AuditLog;
  readonly #changed: () => Promise<void>;

  /** `changed`: hears of each change before whoever made it does. */
  constructor(store: Store, audit: AuditLog, changed: () => Promise<void> = async () => {}) {
    this.#store = store;
    this.#audit = audit;
    this.#changed = changed;
  }

  async tenants(): Promise<TenantTable[]> {
    return this.#store.db.selectFrom('tenants').selectAll().where('deleted', '=', 0).orderBy('id').execute();
  }

  async tenant(id: string): Promise<TenantTable | undefined> {
    const found = this.#store.db.selectFrom('tenants').selectAll().where('id', '=', id).where('deleted', '=', 0);
    return found.executeTakeFirst();
  }

  async keys(tenant: string): Promise<KeyTable[]> {
    const found = this.#store.db.selectFrom('api_keys').selectAll().where('tenant', '=', tenant);
    return found.orderBy('created_at').orderBy('id').execute();
  }

  /** Throws `tenant_exists`. */
  createTenant(actor: string, { id, disabled = false, ...rest }: CreateTenant): Promise<TenantTable> {
    const detail = written(rest);
    return this.#change({ actor, action: 'tenant.created', target: id, detail }, async (trx, changed, at) => {
      const known = await trx.selectFrom('tenants').select('deleted').where('id', '=', id).executeTakeFirst();
      if (known?.deleted === 0)
        throw new RealmError('tenant_exists', `There is a tenant ${id} already`, { param: 'id' });
      const row = {
        id,
        document: JSON.stringify(detail),
        disabled: Number(disabled),
        deleted: 0,
        created_at: at,
        changed,
      };
      if (known) await trx.updateTable('tenants').set(row).where('id', '=', id).execute();
      else await trx.insertInto('tenants').values(row).execute();
      return row;
    });
  }

  /** Throws `tenant_not_found`. */
  updateTenant(actor: string, id: string, update: UpdateTenant): Promise<TenantTable> {
    return this.#change({ actor, action: 'tenant.updated', target: id, detail: update }, async (trx, changed) => {
      const row = await tenantRow(trx, id);
      const { disabled, ...fields } = update;
      const document = JSON.stringify(written({ ...JSON.parse(row.document), ...defined(fields) }));
      const next = { ...row, document, disabled: disabled === undefined ? row.disabled : Number(disabled), changed };
      await trx.updateTable('tenants').set(next).where('id', '=', id).execute();
      return next;
    });
  }

  /** With its keys and programs. `cancel`: what they ask for ends. Throws `tenant_not_found`. */
  deleteTenant(actor: string, id: string, cancel: boolean): Promise<void> {
    const detail = { cancel };
    return this.#change({ actor, action: 'tenant.deleted', target: id, detail }, async (trx, changed, at) => {
      await tenantRow(trx, id);
      await trx.updateTable('tenants').set({ deleted: 1, changed }).where('id', '=', id).execute();
      const revoked = { revoked_at: at, cancels: Number(cancel), changed };
      const keys = trx.updateTable('api_keys').set(revoked).where('tenant', '=', id).where('revoked_at', 'is', null);
      await keys.execute();
      // Another tenant that gets the name must not get them.
      await trx.updateTable('programs').set({ deleted: 1, changed }).where('owner', '=', id).execute();
      await trx.deleteFrom('program_versions').where('owner', '=', id).execute();
      await trx.deleteFrom('saved_sequences').where('tenant', '=', id).execute();
    });
  }

  /** Whoever asks knows that the tenant is there: it may stand in `realm.yaml`. */
  createKey(actor: string, tenant: string, { expires_at, ...fields }: CreateKey): Promise<MadeKey> {
    const [id, document] = [newKeyId(), written(fields)];
    const detail = { tenant, ...document };
    return this.#change({ actor, action: 'key.created', target: id, detail }, (trx, changed, at) =>
      insertKey(trx, { id, tenant, document, expires_at: expires_at ?? null, changed, at }),
    );
  }

  /** Throws `key_not_found`. */
  updateKey(actor: string, tenant: string, id: string, update: UpdateKey): Promise<KeyTable> {
    const detail = { tenant, ...update };
    return this.#change({ actor, action: 'key.updated', target: id, detail }, async (trx, changed) => {
      const row = await keyRow(trx, tenant, id);
      const { expires_at, ...fields } = update;
      const document = JSON.stringify(written({ ...JSON.parse(row.document), ...defined(fields) }));
      const next = { ...row, document, expires_at: expires_at === undefined ? row.expires_at : expires_at, changed };
      await trx.updateTable('api_keys').set(next).where('id', '=', id).execute();
      return next;
    });
  }

  /** A new key with the rights of an old one, which works for so long besides. Throws `key_not_found`. */
  rotateKey(actor: string, tenant: string, id: string, overlapMs: number): Promise<MadeKey> {
    const replacement = newKeyId();
    const detail = { tenant, replacement, overlap_seconds: overlapMs / 1000 };
    return this.#change({ actor, action: 'key.rotated', target: id, detail }, async (trx, changed, at) => {
      const old = await keyRow(trx, tenant, id);
      if (old.revoked_at !== null) throw keyNotFound();
      const expires = Math.min(old.expires_at ?? Number.POSITIVE_INFINITY, at + overlapMs);
      await trx.updateTable('api_keys').set({ expires_at: expires, changed }).where('id', '=', id).execute();
      const document: KeyDocument = JSON.parse(old.document);
      const ends = old.expires_at !== null && old.expires_at <= at ? null : old.expires_at;
      return insertKey(trx, { id: replacement, tenant, document, expires_at: ends, changed, at });
    });
  }

  /** `cancel`: what it asks for ends. Throws `key_not_found`. */
  revokeKey(actor: string, tenant: string, id: string, cancel: boolean): Promise<KeyTable> {
    const detail = { tenant, cancel };
    return this.#change({ actor, action: 'key.revoked', target: id, detail }, async (trx, changed, at) => {
      const row = await keyRow(trx, tenant, id);
      const next = { ...row, revoked_at: row.revoked_at ?? at, cancels: Number(cancel), changed };
      await trx.updateTable('api_keys').set(next).where('id', '=', id).execute();
      return next;
    });
  }

  async #change<T>(note: AuditNote, change: Change<T>): Promise<T> {
    const result = await this.#audit.record(note, change);
    await this.#changed();
    return result;
  }

  /** When keys were last used, with the id of each. */
  async noteUse(uses: readonly { readonly id: string; readonly usedAt: number }[]): Promise<void> {
    if (uses.length === 0) return;
    await this.#store.db.transaction().execute(async trx => {
      for (const { id, usedAt } of uses)
        await trx.updateTable('api_keys').set({ last_used_at: usedAt }).where('id', '=', id).execute();
    });
  }
}

interface NewKeyRow {
  readonly id: string;
  readonly tenant: string;
  readonly document: KeyDocument;
  readonly expires_at: number | null;
  readonly changed: number;
  readonly at: number;
}

async function insertKey(trx: Trx, { document, at, ...fields }: NewKeyRow): Promise<MadeKey> {
  const { key, hash } = createKey(fields.tenant);
  const times = { created_at: at, revoked_at: null, last_used_at: null, cancels: 0 };
  const row: KeyTable = { ...fields, ...times, hash, document: JSON.stringify(document) };
  await trx.insertInto('api_keys').values(row).execute();
  return { row, key };
}

async function tenantRow(trx: Trx, id: string): Promise<TenantTable> {
  const found = trx.selectFrom('tenants').selectAll().where('id', '=', id).where('deleted', '=', 0);
  return found.executeTakeFirstOrThrow(() => tenantNotFound(id));
}

async function keyRow(trx: Trx, tenant: string, id: string): Promise<KeyTable> {
  const found = trx.selectFrom('api_keys').selectAll().where('id', '=', id).where('tenant', '=', tenant);
  return found.executeTakeFirstOrThrow(keyNotFound);
}

export function tenantNotFound(id: string): RealmError {
  return new RealmError('tenant_not_found', `There is no tenant ${id}`);
}

export function keyNotFound(): RealmError {
  return new RealmError('key_not_found', 'The tenant has no such key, or it was revoked');
}

type Fields = Readonly<Record<string, unknown>>;

/** Without what is not said. */
function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Without what is not said or was taken away. */
function written(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
