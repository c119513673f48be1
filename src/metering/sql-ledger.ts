import { sql, type Transaction } from 'kysely';
import type { Store } from '../store/open.ts';
import type { CallTable, StoreTables } from '../store/schema.ts';
import { amountOf } from './budgets.ts';
import { columnList, jsonRows } from './json-rows.ts';
import { type Batch, type Drawn, type EndedCall, type LeaseWrite, type Ledger, ReplicaLost } from './ledger.ts';
import {
  type CallId,
  type Change,
  difference,
  endedColumns,
  idOf,
  nameOf,
  runningColumns,
  sumColumns,
  sumsOf,
  usageColumns,
} from './ledger-rows.ts';
import type { BudgetPeriod } from './outbox.ts';
import { billionths } from './prices.ts';
import { usedIn } from './usage.ts';

type Trx = Transaction<StoreTables>;

/**
 * Hears in the transaction that more of a budget is spent than this replica knew. Each replica hears of the same, and after a start `before` is 0:
 * who tells others must tell once.
 */
export type OnSpent = (trx: Trx, budget: BudgetPeriod, before: number, after: number) => Promise<void>;

/**
 * The ledger in SQLite or PostgreSQL. Whoever draws from a budget or spends of it holds its row until the end of the transaction, and rows are
 * taken in the order of their names, so that replicas wait for each other and never in circles.
 */
export class SqlLedger implements Ledger {
  readonly #store: Store;

  readonly #onSpent: OnSpent | undefined;

  constructor(store: Store, onSpent?: OnSpent) {
    this.#store = store;
    this.#onSpent = onSpent;
  }

  async join(replica: string, now: number): Promise<void> {
    const row = { id: replica, seen_at: now };
    await this.#store.db
      .insertInto('replicas')
      .values(row)
      .onConflict(conflict => conflict.doNothing())
      .execute();
  }

  commit(batch: Batch): Promise<Drawn[]> {
    const { replica, ended, running, leases } = batch;
    const known = ended.filter(call => call.known);
    return this.#store.db.transaction().execute(async trx => {
      await seen(trx, batch);
      const charges = await this.#record(trx, ended);
      for (const lease of leases) {
        if (lease.isNew) await open(trx, lease);
        // Whoever draws must have the row too.
        if (lease.need > 0 && !charges.has(lease.id)) charges.set(lease.id, 0);
      }
      await this.#spend(trx, charges);
      const drawn = leases.length > 0 ? await this.#draw(trx, replica, leases) : [];
      if (known.length > 0) await this.#forget(trx, known);
      if (running.length > 0) await this.#note(trx, batch);
      return drawn;
    });
  }

  async replicas(): Promise<{ id: string; seen_at: number }[]> {
    return this.#store.db.selectFrom('replicas').select(['id', 'seen_at']).execute();
  }

  async spent(ids: readonly string[]): Promise<Map<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#store.db.selectFrom('budgets').selectAll().where('id', 'in', ids).execute();
    return new Map(rows.map(({ id, spent }) => [id, spent]));
  }

  bury(replica: string): Promise<number> {
    return this.#store.db.transaction().execute(async trx => {
      const { numDeletedRows } = await trx.deleteFrom('replicas').where('id', '=', replica).executeTakeFirstOrThrow();
      if (numDeletedRows === 0n) return 0;
      const left = await trx.deleteFrom('running_calls').where('replica', '=', replica).returningAll().execute();
      const rows = left.map(({ replica: _, budgets, ...call }) => {
        return { ...call, budgets: JSON.parse(budgets) as string[], status: 'interrupted' as const, known: false };
      });
      await this.#spend(trx, await this.#record(trx, rows));
      await trx.deleteFrom('leases').where('replica', '=', replica).execute();
      return rows.length;
    });
  }

  /** Inserts what is not there and moves the sums with it. Returns what to add to each budget. */
  async #record(trx: Trx, rows: readonly EndedCall[]): Promise<Map<string, number>> {
    const charges = new Map<string, number>();
    if (rows.length === 0) return charges;
    const values = jsonRows(this.#store, rows, endedColumns);
    const columns = columnList(endedColumns);
    const inserted = await sql<{ request_id: string; call: number }>`
      insert into calls (${columns}) select ${columns} from ${values} where true order by request_id, call
      on conflict do nothing returning request_id, call`.execute(trx);
    const added = new Set(inserted.rows.map(nameOf));
    const isNew = (row: EndedCall) => added.has(nameOf(row));
    const changes: Change[] = rows.filter(isNew).map(row => ({ ...row, calls: 1 }));
    if (changes.length < rows.length)
      changes.push(
        ...(await this.#mend(
          trx,
          rows.filter(row => !isNew(row)),
        )),
      );
    for (const row of changes)
      for (const id of row.budgets) charges.set(id, (charges.get(id) ?? 0) + amountOf(id, row));
    await this.#sum(trx, changes);
    return charges;
  }

  /** Others may have held this replica for dead and settled its calls with what they knew. Resolves to what was missing there. */
  async #mend(trx: Trx, rows: readonly EndedCall[]): Promise<Change[]> {
    const ids = jsonRows(this.#store, rows.map(idOf), { request_id: 'text', call: 'bigint' });
    const { rows: there } = await sql<CallTable>`
      select * from calls where (request_id, call) in (select request_id, call from ${ids})
      and status = 'interrupted'`.execute(trx);
    const short = new Map(there.map(row => [nameOf(row), row]));
    const changes: Change[] = [];
    for (const row of rows) {
      const old = short.get(nameOf(row));
      if (old === undefined || row.status === 'interrupted') continue;
      const { input_tokens, cached_tokens, output_tokens, cost, status } = row;
      await trx
        .updateTable('calls')
        .set({ input_tokens, cached_tokens, output_tokens, cost, status })
        .where('request_id', '=', row.request_id)
        .where('call', '=', row.call)
        .execute();
      changes.push({ ...row, calls: 0, requests: 0, model_requests: 0, ...difference(row, old) });
    }
    return changes;
  }

  async #sum(trx: Trx, rows: readonly Change[]): Promise<void> {
    if (rows.length === 0) return;
    const columns = { ...sumColumns, calls: 'bigint', ...usageColumns } as const;
    const added = Object.keys({ calls: 0, ...usageColumns }).map(
      name => sql`${sql.ref(name)} = usage.${sql.ref(name)} + excluded.${sql.ref(name)}`,
    );
    await sql`
      insert into usage (${columnList(columns)})
      select ${columnList(columns)} from ${jsonRows(this.#store, sumsOf(rows), columns)} where true
      order by tenant, day, key_id, model, adapter
      on conflict (tenant, day, key_id, model, adapter) do update set ${sql.join(added)}`.execute(trx);
  }

  /** Adds to budgets and locks them. */
  async #spend(trx: Trx, charges: ReadonlyMap<string, number>): Promise<void> {
    if (charges.size === 0) return;
    const list = [...charges].map(([id, amount]) => ({ id, amount }));
    await sql`
      insert into budgets (id, spent)
      select id, amount from ${jsonRows(this.#store, list, { id: 'text', amount: 'bigint' })} where true order by id
      on conflict (id) do update set spent = budgets.spent + excluded.spent`.execute(trx);
  }

  /** Gives what is needed as far as nobody else has it, and writes down what the replica holds now. */
  async #draw(trx: Trx, replica: string, leases: readonly LeaseWrite[]): Promise<Drawn[]> {
    const ids = jsonRows(
      this.#store,
      leases.map(({ id }) => ({ id })),
      { id: 'text' },
    );
    const { rows } = await sql<{ id: string; spent: number; others: number }>`
      select b.id, b.spent, coalesce((select sum(amount) from leases where budget = b.id and replica <> ${replica}), 0)
      as others from budgets as b where b.id in (select id from ${ids})`.execute(trx);
    const known = new Map(rows.map(row => [row.id, row]));
    const drawn = leases.map(({ id, limit, keep, need, chunk }) => {
      const { spent = 0, others = 0 } = known.get(id) ?? {};
      const left = Math.max(0, limit - spent - others - keep);
      const granted = need > 0 ? chunk(need, left) : 0;
      return { id, granted, left: left - granted, spent };
    });
    await this.#tell(trx, leases, drawn);
    await this.#hold(
      trx,
      replica,
      leases.map(({ id, keep }, i) => ({ budget: id, amount: keep + drawn[i]!.granted })),
    );
    return drawn;
  }

  /** Whatever moved a balance, the next replica that looks finds what it passed. */
  async #tell(trx: Trx, leases: readonly LeaseWrite[], drawn: readonly Drawn[]): Promise<void> {
    for (const [i, { tenant, budget, period, spent: before }] of leases.entries()) {
      const { spent } = drawn[i]!;
      if (!this.#onSpent || spent <= before) continue;
      const { key: keyId, model, unit, limit } = budget;
      const inUnit = (value: number) => (unit === 'money' ? value / billionths : value);
      await this.#onSpent(trx, { tenant, keyId, model, unit, period: period.id, limit }, inUnit(before), inUnit(spent));
    }
  }

  async #hold(trx: Trx, replica: string, held: readonly { budget: string; amount: number }[]): Promise<void> {
    const rows = held.map(each => ({ replica, ...each }));
    const columns = { replica: 'text', budget: 'text', amount: 'bigint' } as const;
    await sql`
      insert into leases (${columnList(columns)}) select ${columnList(columns)} from ${jsonRows(this.#store, rows, columns)}
      where true on conflict (budget, replica) do update set amount = excluded.amount`.execute(trx);
    if (rows.some(({ amount }) => amount <= 0))
      await trx.deleteFrom('leases').where('replica', '=', replica).where('amount', '<=', 0).execute();
  }

  async #forget(trx: Trx, calls: readonly CallId[]): Promise<void> {
    const ids = jsonRows(this.#store, calls.map(idOf), { request_id: 'text', call: 'bigint' });
    await sql`delete from running_calls where (request_id, call) in (select request_id, call from ${ids})`.execute(trx);
  }

  async #note(trx: Trx, { replica, running }: Batch): Promise<void> {
    const rows = running.map(call => ({ ...call, replica, budgets: JSON.stringify(call.budgets) }));
    const columns = columnList(runningColumns);
    const news = ['input_tokens', 'cached_tokens', 'output_tokens', 'cost'].map(
      name => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`,
    );
    await sql`
      insert into running_calls (${columns}) select ${columns} from ${jsonRows(this.#store, rows, runningColumns)}
      where true on conflict (request_id, call) do update set ${sql.join(news)}`.execute(trx);
  }
}

async function seen(trx: Trx, { replica, now }: Batch): Promise<void> {
  const update = trx.updateTable('replicas').set({ seen_at: now }).where('id', '=', replica);
  const { numUpdatedRows } = await update.executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) throw new ReplicaLost();
}

/** A budget that nobody has asked for yet begins with what the ledger has of its period. */
async function open(trx: Trx, { id, tenant, budget, period }: LeaseWrite): Promise<void> {
  const there = await trx.selectFrom('budgets').select('id').where('id', '=', id).executeTakeFirst();
  if (there) return;
  const spent = await usedIn(trx, tenant, budget, period);
  await trx
    .insertInto('budgets')
    .values({ id, spent })
    .onConflict(conflict => conflict.doNothing())
    .execute();
}
