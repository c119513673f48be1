import { Follower } from '../store/follower.ts';
import type { Store } from '../store/open.ts';
import { AuditLog } from './audit.ts';
import type { Directory, FileEntries } from './directory.ts';
import { DirectorySync, type SyncEvents } from './directory-sync.ts';
import { type Operator, type OperatorParts, StoreOperator } from './operator.ts';
import { TenantStore } from './tenant-store.ts';

/** Tenants, keys and the audit log of a server: what its directory knows, and how that changes while it runs. */
export class Administration {
  readonly directory: Directory;
  readonly audit: AuditLog;
  /** Of the store: others may follow it too, until it is started. */
  readonly follower: Follower;
  /** Whether a tenant may be given a program: throws what is wrong with it. Absent: nobody knows. */
  checkProgram: OperatorParts['checkProgram'];
  readonly #store: TenantStore;
  readonly #sync: DirectorySync;
  #file: FileEntries;

  constructor(store: Store, directory: Directory, file: FileEntries, events: SyncEvents) {
    this.directory = directory;
    this.audit = new AuditLog(store);
    this.follower = new Follower(store, events.lost);
    this.#store = new TenantStore(store, this.audit, () => this.follower.changed());
    this.#sync = new DirectorySync({ store, follower: this.follower, tenants: this.#store }, directory, events);
    this.#file = file;
  }

  async start(): Promise<void> {
    await this.follower.start();
    this.#sync.start();
  }

  /** What the file says now. */
  setFile(file: FileEntries): void {
    this.#file = file;
    this.directory.setFile(file);
  }

  /** On behalf of whoever has this public id. */
  operator(actor: string): Operator {
    const usedAt = (id: string) => this.directory.key(id)?.usedAt;
    const file = this.#file.tenants ?? [];
    const { audit, checkProgram } = this;
    return new StoreOperator({ actor, store: this.#store, audit, file, usedAt, checkProgram });
  }

  async close(): Promise<void> {
    await this.follower.close();
    await this.#sync.close();
  }
}
