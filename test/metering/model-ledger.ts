/** The store as a few maps: what the ledgers in SQLite and PostgreSQL must do, without either. */
import { amountOf } from '../../src/metering/budgets.ts';
import {
  type Batch,
  type Drawn,
  type EndedCall,
  type Ledger,
  ReplicaLost,
  type RunningCall,
} from '../../src/metering/ledger.ts';

export class ModelLedger implements Ledger {
  readonly calls = new Map<string, EndedCall>();
  readonly balances = new Map<string, number>();
  readonly leases = new Map<string, Map<string, number>>();
  readonly #replicas = new Map<string, number>();
  readonly #running = new Map<string, RunningCall & { replica: string }>();

  async join(replica: string, now: number): Promise<void> {
    if (!this.#replicas.has(replica)) this.#replicas.set(replica, now);
  }

  async commit({ replica, now, ended, running, leases }: Batch): Promise<Drawn[]> {
    if (!this.#replicas.has(replica)) throw new ReplicaLost();
    this.#replicas.set(replica, now);
    for (const row of ended) this.#record(row);
    const drawn: Drawn[] = [];
    for (const { id, limit, keep, need, chunk } of leases) {
      const held = this.leases.get(id) ?? new Map<string, number>();
      this.leases.set(id, held);
      let left = limit - (this.balances.get(id) ?? 0) - keep;
      for (const [other, amount] of held) if (other !== replica) left -= amount;
      left = Math.max(0, left);
      const granted = need > 0 ? chunk(need, left) : 0;
      held.set(replica, keep + granted);
      drawn.push({ id, granted, left: left - granted, spent: this.balances.get(id) ?? 0 });
    }
    for (const call of running) this.#running.set(nameOf(call), { ...call, replica });
    return drawn;
  }

  async replicas(): Promise<{ id: string; seen_at: number }[]> {
    return [...this.#replicas].map(([id, seen_at]) => ({ id, seen_at }));
  }

  async spent(ids: readonly string[]): Promise<Map<string, number>> {
    return new Map([...this.balances].filter(([id]) => ids.includes(id)));
  }

  async bury(replica: string): Promise<number> {
    if (!this.#replicas.delete(replica)) return 0;
    const left = [...this.#running.values()].filter(call => call.replica === replica);
    for (const call of left) {
      this.#running.delete(nameOf(call));
      this.#record({ ...call, status: 'interrupted', known: false });
    }
    for (const held of this.leases.values()) held.delete(replica);
    return left.length;
  }

  #record(row: EndedCall): void {
    const old = this.calls.get(nameOf(row));
    this.#running.delete(nameOf(row));
    if (old && (old.status !== 'interrupted' || row.status === 'interrupted')) return;
    this.calls.set(nameOf(row), row);
    for (const id of row.budgets)
      this.balances.set(id, (this.balances.get(id) ?? 0) + amountOf(id, row) - (old ? amountOf(id, old) : 0));
  }
}

const nameOf = ({ request_id, call }: Pick<EndedCall, 'request_id' | 'call'>) => `${request_id} ${call}`;
