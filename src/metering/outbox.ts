import type { Transaction } from 'kysely';
import type { StoreTables } from '../store/schema.ts';

/** What the operator's programs are told. */
export interface OutboxEvent {
  /** The same event has the same id, and is told once: for example of a budget, its period and the part that is spent. */
  readonly id: string;
  /** For example `budget.threshold`. */
  readonly type: string;
  readonly data: object;
}

/** Has an event told if, and only if, the transaction is committed. */
export async function addToOutbox(trx: Transaction<StoreTables>, { id, type, data }: OutboxEvent): Promise<void> {
  const now = Date.now();
  await trx
    .insertInto('outbox')
    .values({ id, type, data: JSON.stringify(data), created_at: now, delivered_to: '[]', attempts: 0, next_at: now })
    .onConflict(conflict => conflict.column('id').doNothing())
    .execute();
}

/** A budget in one of its periods, in its own unit. */
export interface BudgetPeriod {
  readonly tenant: string;
  readonly keyId?: string | undefined;
  readonly model?: string | undefined;
  readonly unit: string;
  /** For example `2026-11`. */
  readonly period: string;
  readonly limit: number;
}

/** Parts of a budget that are told when they are spent. */
const percents = [80, 100];

/** Has it told that what was spent of a budget has passed one of its marks, in the transaction that spends it. */
export async function tellCrossings(
  trx: Transaction<StoreTables>,
  budget: BudgetPeriod,
  before: number,
  after: number,
): Promise<void> {
  const { tenant, keyId, model, unit, period, limit } = budget;
  for (const percent of percents) {
    const mark = (limit * percent) / 100;
    if (limit === 0 || before >= mark || after < mark) continue;
    const id = ['budget', tenant, keyId ?? '', model ?? '', unit, period, limit, percent].join(':');
    const data = { tenant, key_id: keyId, model, unit, period, limit, spent: after, percent };
    await addToOutbox(trx, { id, type: 'budget.threshold', data });
  }
}
