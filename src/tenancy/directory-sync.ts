import type { Store } from '../store/open.ts';
import { watchStore } from '../store/watch.ts';
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

/** Keeps the directory as the store has it: changes of this server at once, those of others within a second. */
export class DirectorySync {
  readonly #store: Store;
  readonly #directory: Directory;
  readonly #events: SyncEvents;
  readonly #tenants: TenantStore;
  #tenantsSeen = 0;
  #keysSeen = { changed: 0, id: '' };
  #refreshing: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #lost = false;
  #stop = async () => {};

  constructor(store: Store, directory: Directory, tenants: TenantStore, events: SyncEvents) {
    this.#store = store;
    this.#directory = directory;
    this.#tenants = tenants;
    this.#events = events;
  }

  /** Reads all, and follows what changes from then on. */
  async start(): Promise<void> {
    await this.refresh();
    const stopWatching = watchStore(this.#store, () => void this.refresh().catch(error => this.#failed(error)));
    const timer = setInterval(() => void this.noteUse(), noteUseMs).unref();
    this.#stop = async () => {
      clearInterval(timer);
      await stopWatching();
      await this.noteUse();
    };
  }

  async close(): Promise<void> {
    await this.#stop();
    await this.#refreshing?.catch(() => {});
  }

  /** Resolves when all that was committed before this call is known. */
  refresh(): Promise<void> {
    if (!this.#refreshing) return this.#begin();
    // The one that runs may have read already what has changed since.
    this.#again ??= this.#refreshing.catch(() => {}).then(() => this.#begin());
    return this.#again;
  }

  async noteUse(): Promise<void> {
    const used = this.#directory.takeUsed().map(({ id, usedAt = 0 }) => ({ id, usedAt }));
    await this.#tenants.noteUse(used).catch(() => {});
  }

  #begin(): Promise<void> {
    this.#again = undefined;
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  #failed(error: unknown): void {
    if (!this.#lost) this.#events.lost(error);
    this.#lost = true;
  }

  async #read(): Promise<void> {
    // Keys first: whose key is known is known then too.
    while (await this.#readKeys());
    const { db } = this.#store;
    const changed = db.selectFrom('tenants').selectAll().where('changed', '>', this.#tenantsSeen);
    const rows = await changed.orderBy('changed').execute();
    this.#directory.applyTenants(rows);
    this.#tenantsSeen = rows.at(-1)?.changed ?? this.#tenantsSeen;
    this.#lost = false;
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
    for (const row of rows) if (row.revoked_at !== null && row.cancels) this.#events.cancelled(row.id);
    const last = rows.at(-1);
    if (last) this.#keysSeen = { changed: last.changed, id: last.id };
    return rows.length === page;
  }
}
