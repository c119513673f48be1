import { RealmError } from '../../errors.ts';
import type { RunTrace } from './trace.ts';

interface RunBookOptions {
  readonly perTenant?: number;
  readonly bytesPerTenant?: number;
  readonly keepMs?: number;
  readonly now?: () => number;
}

interface Kept {
  readonly run: RunTrace;
  /** 0 until it has ended. */
  bytes: number;
}

/** The last runs of each tenant, in memory: at most so many, so large and so old. */
export class RunBook {
  readonly #tenants = new Map<string, Kept[]>();
  readonly #perTenant: number;
  readonly #bytesPerTenant: number;
  readonly #keepMs: number;
  readonly #now: () => number;

  constructor(options: RunBookOptions = {}) {
    this.#perTenant = options.perTenant ?? 100;
    this.#bytesPerTenant = options.bytesPerTenant ?? 1 << 20;
    this.#keepMs = options.keepMs ?? 3_600_000;
    this.#now = options.now ?? Date.now;
  }

  /** Keeps a run from its beginning on; gives what is to be called at its end. */
  begin(run: RunTrace): () => void {
    const kept: Kept = { run, bytes: 0 };
    const all = this.#tenants.get(run.tenant) ?? [];
    this.#tenants.set(run.tenant, all);
    all.push(kept);
    this.#tidy();
    return () => {
      kept.bytes = JSON.stringify(run).length;
      this.#tidy();
    };
  }

  /** The latest first; without a tenant those of all. */
  list(tenant?: string): RunTrace[] {
    this.#tidy();
    const all = tenant === undefined ? [...this.#tenants.values()].flat() : (this.#tenants.get(tenant) ?? []);
    return all.map(({ run }) => run).sort((a, b) => b.began - a.began);
  }

  /** Throws `request_not_found`. */
  find(id: string, tenant?: string): RunTrace {
    const found = this.list(tenant).find(run => run.id === id);
    if (found) return found;
    throw new RealmError('request_not_found', 'No run of that id is kept: the last 100 are, for an hour');
  }

  /** Those that run stay: others go before them. */
  #tidy(): void {
    const oldest = this.#now() - this.#keepMs;
    for (const [tenant, all] of this.#tenants) {
      const young = all.filter(({ run }) => run.state === 'running' || run.began >= oldest);
      let bytes = young.reduce((sum, each) => sum + each.bytes, 0);
      let count = young.length;
      const stays = young.filter(each => {
        if (each.run.state === 'running' || (count <= this.#perTenant && bytes <= this.#bytesPerTenant)) return true;
        count--;
        bytes -= each.bytes;
        return false;
      });
      if (stays.length > 0) this.#tenants.set(tenant, stays);
      else this.#tenants.delete(tenant);
    }
  }
}
