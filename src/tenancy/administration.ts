import type { Store } from '../store/open.ts';
import { AuditLog } from './audit.ts';
import type { Directory, FileEntries } from './directory.ts';
import { DirectorySync, type SyncEvents } from './directory-sync.ts';
import { type Operator, StoreOperator } from './operator.ts';
import { TenantStore } from './tenant-store.ts';

/** Tenants, keys and the audit log of a server: what its directory knows, and how that changes while it runs. */
export class Administration {
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly #store: TenantStore;
  readonly #sync: DirectorySync;
  #file: FileEntries;

  constructor(store: Store, directory: Directory, file: FileEntries, events: SyncEvents) {
    this.directory = directory;
    this.audit = new AuditLog(store);
    // Who is told that a change was made may use it at once; that it was made is true in any case.
    const changed = () => this.#sync.refresh().catch(events.lost);
    this.#store = new TenantStore(store, this.audit, changed);
    this.#sync = new DirectorySync(store, directory, this.#store, events);
    this.#file = file;
  }

  start(): Promise<void> {
    return this.#sync.start();
  }

  /** What the file says now. */
  setFile(file: FileEntries): void {
    this.#file = file;
    this.directory.setFile(file);
  }

  /** On behalf of whoever has this public id. */
  operator(actor: string): Operator {
    const usedAt = (id: string) => this.directory.key(id)?.usedAt;
    return new StoreOperator({ actor, store: this.#store, audit: this.audit, file: this.#file.tenants ?? [], usedAt });
  }

  close(): Promise<void> {
    return this.#sync.close();
  }
}
