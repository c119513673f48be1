import type { Kysely } from 'kysely';
import type { StoreTables } from '../store/schema.ts';
import { type Budget, measureOf } from './budgets.ts';
import { dayOf, type Period } from './periods.ts';

/** What a budget would have counted in a period, had it been there from its beginning. */
export async function usedIn(
  db: Kysely<StoreTables>,
  tenant: string,
  budget: Budget,
  { from, to }: Period,
): Promise<number> {
  const { key, model } = budget;
  let query = db.selectFrom('usage').where('tenant', '=', tenant);
  if (from !== undefined) query = query.where('day', '>=', dayOf(from));
  if (to !== undefined) query = query.where('day', '<', dayOf(to));
  if (key !== undefined) query = query.where('key_id', '=', key);
  if (model !== undefined) query = query.where(eb => eb.or([eb('model', '=', model), eb('adapter', '=', model)]));
  const measure = measureOf(budget);
  const sums = await query
    .select(({ fn }) => [
      fn.sum<number | null>('input_tokens').as('input'),
      fn.sum<number | null>('output_tokens').as('output'),
      fn.sum<number | null>(measure === 'tokens' ? 'cost' : measure).as('other'),
    ])
    .executeTakeFirstOrThrow();
  return measure === 'tokens' ? (sums.input ?? 0) + (sums.output ?? 0) : (sums.other ?? 0);
}
