import type { Follower } from '../store/follower.ts';
import type { Store } from '../store/open.ts';
import type { Directory } from './directory.ts';
import type { TenantStore } from './tenant-store.ts';

/** Rows that are read at once: making objects of them takes a few milliseconds. */
const page = 2000;
const noteUseMs = 60_000;

export interface SyncEvents {
  /** A key was revoked, and what it asks for is to end. */
  cancelled(keyId: string): void;
  /** The store does not answer; what is known goes on being used. Told once, until it answers again. */
  lost(error: unknown): void;
}

/** Keeps the directory as the store has it, and the store knowing when keys were last used. */
export class DirectorySync {
  readonly #store: Store;
  readonly #directory: Directory;
  readonly #cancelled: SyncEvents['cancelled'];
  readonly #tenants: TenantStore;
  #tenantsSeen = 0;
  #keysSeen = { changed: 0, id: '' };
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { store, follower, tenants }: { store: Store; follower: Follower; tenants: TenantStore },
    directory: Directory,
    { cancelled }: Pick<SyncEvents, 'cancelled'>,
  ) {
    this.#store = store;
    this.#directory = directory;
    this.#tenants = tenants;
    this.#cancelled = cancelled;
    follower.add(() => this.#read());
  }

  start(): void {
    this.#timer = setInterval(() => void this.noteUse(), noteUseMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.noteUse();
  }

  async noteUse(): Promise<void> {
    const used = this.#directory.takeUsed().map(({ id, usedAt = 0 }) => ({ id, usedAt }));
    await this.#tenants.noteUse(used).catch(() => {});
  }

  async #read(): Promise<void> {
    // Keys first: whose key is known is known then too.
    while (await this.#readKeys());
    const { db } = this.#store;
    const changed = db.selectFrom('tenants').selectAll().where('changed', '>', this.#tenantsSeen);
    const rows = await changed.orderBy('changed').execute();
    this.#directory.applyTenants(rows);
    this.#tenantsSeen = rows.at(-1)?.changed ?? this.#tenantsSeen;
  }

  /** Whether there may be more. */
  async #readKeys(): Promise<boolean> {
    const { changed, id } = this.#keysSeen;
    const rows = await this.#store.db
      .selectFrom('api_keys')
      .selectAll()
      .where(eb => eb.or([eb('changed', '>', changed), eb.and([eb('changed', '=', changed), eb('id', '>', id)])]))
      .orderBy('changed')
      .orderBy('id')
      .limit(page)
      .execute();
    this.#directory.applyKeys(rows);
    for (const row of rows) if (row.revoked_at !== null && row.cancels) this.#cancelled(row.id);
    const last = rows.at(-1);
    if (last) this.#keysSeen = { changed: last.changed, id: last.id };
    return rows.length === page;
  }
}
