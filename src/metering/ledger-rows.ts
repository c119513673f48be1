import type { UsageColumns } from '../store/schema.ts';
import type { EndedCall } from './ledger.ts';
import { dayOf } from './periods.ts';

/** Columns of the ledger's tables with their types, and rows made for them. */

export const usageColumns = {
  requests: 'bigint',
  model_requests: 'bigint',
  input_tokens: 'bigint',
  cached_tokens: 'bigint',
  output_tokens: 'bigint',
  cost: 'bigint',
} as const;
export const callColumns = {
  request_id: 'text',
  call: 'bigint',
  tenant: 'text',
  key_id: 'text',
  model: 'text',
  adapter: 'text',
  at: 'bigint',
  ...usageColumns,
} as const;
export const endedColumns = { ...callColumns, status: 'text' } as const;
export const runningColumns = { ...callColumns, replica: 'text', budgets: 'text' } as const;
/** Of a row that was added, all; of one that was mended, what it lacked. */
export type Change = EndedCall & { readonly calls: number };

export const sumColumns = { tenant: 'text', day: 'bigint', key_id: 'text', model: 'text', adapter: 'text' } as const;

export type CallId = Pick<EndedCall, 'request_id' | 'call'>;

export const nameOf = ({ request_id, call }: CallId): string => `${request_id} ${call}`;

export const idOf = ({ request_id, call }: CallId): CallId => ({ request_id, call });

export function difference(
  row: UsageColumns,
  old: UsageColumns,
): Pick<UsageColumns, 'input_tokens' | 'cached_tokens' | 'output_tokens' | 'cost'> {
  return {
    input_tokens: row.input_tokens - old.input_tokens,
    cached_tokens: row.cached_tokens - old.cached_tokens,
    output_tokens: row.output_tokens - old.output_tokens,
    cost: row.cost - old.cost,
  };
}

/** One record for each tenant, day, key, model and adapter. */
export function sumsOf(rows: readonly Change[]): object[] {
  const sums = new Map<string, Record<string, string | number>>();
  for (const row of rows) {
    const { tenant, key_id, model, adapter, calls } = row;
    const day = dayOf(row.at);
    const name = JSON.stringify([tenant, day, key_id, model, adapter]);
    const sum = sums.get(name);
    const values = {
      calls,
      ...Object.fromEntries(Object.keys(usageColumns).map(key => [key, row[key as keyof UsageColumns]])),
    };
    if (sum === undefined) sums.set(name, { tenant, day, key_id, model, adapter, ...values });
    else for (const [key, value] of Object.entries(values)) sum[key] = (sum[key] as number) + value;
  }
  return [...sums.values()];
}
