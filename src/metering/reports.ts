import type { SelectQueryBuilder } from 'kysely';
import { sql } from 'kysely';
import { RealmError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { CallTable, StoreTables } from '../store/schema.ts';
import { dayMs, dayOf, type Period } from './periods.ts';
import { billionths } from './prices.ts';

export interface UsageSums {
  readonly requests: number;
  readonly input_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
}

/** Whose usage, and when: milliseconds since 1970, the first that belongs to it and the first that does not. */
export interface UsageFilter {
  readonly tenant?: string | undefined;
  readonly key?: string | undefined;
  readonly model?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** `detail`: the newest calls before `after`, in place of sums by `group_by`. */
export interface UsageAsked extends UsageFilter {
  readonly detail: 'true' | 'false';
  readonly group_by?: readonly Group[] | undefined;
  readonly limit: number;
  readonly after?: string | undefined;
}

export interface UsageReport {
  readonly rows: readonly (UsageLine | CallLine)[];
  /** There are more calls: what to say as `after`. */
  readonly next?: string | undefined;
}

export const groups = ['tenant', 'key', 'model', 'day'] as const;
export type Group = (typeof groups)[number];

/** A line of a report; what it is not grouped by is absent. */
export interface UsageLine extends UsageSums {
  readonly tenant?: string;
  readonly key_id?: string | null;
  readonly model?: string;
  /** As in a date. */
  readonly day?: string;
  readonly calls: number;
  /** Of the runs of tenants' own programs. */
  readonly fuel: number;
  /** In the unit of budgets of money. */
  readonly cost: number;
}

/** A call on record. */
export interface CallLine {
  readonly request_id: string;
  readonly call: number;
  readonly tenant: string;
  readonly key_id: string | null;
  readonly model: string;
  readonly adapter: string | null;
  readonly input_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
  readonly status: CallTable['status'];
  readonly at: string;
  readonly cost: number;
}

const sums = ['requests', 'calls', 'input_tokens', 'cached_tokens', 'output_tokens', 'fuel', 'cost'] as const;

const columns = { tenant: 'tenant', key: 'key_id', model: 'model', day: 'day' } as const;

/** What the ledger tells: sums by day, and the calls themselves. All throws `store_unavailable`. */
export class UsageReports {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What a query asks for: sums, or the calls themselves. */
  async of({ detail, group_by = ['tenant'], limit, after, ...filter }: UsageAsked): Promise<UsageReport> {
    return detail === 'true' ? this.calls(filter, limit, after) : { rows: await this.by(group_by, filter) };
  }

  async ofTenant(tenant: string, { from, to }: Period): Promise<UsageSums> {
    const [line] = await this.by([], { tenant, from, to });
    const { requests = 0, input_tokens = 0, cached_tokens = 0, output_tokens = 0 } = line ?? {};
    return { requests, input_tokens, cached_tokens, output_tokens };
  }

  /** Whole days: those that the filter's times lie in. */
  by(group: readonly Group[], { from, to, ...filter }: UsageFilter): Promise<UsageLine[]> {
    return answered(async () => {
      let query = filtered(this.#store.db.selectFrom('usage'), filter);
      if (from !== undefined) query = query.where('day', '>=', dayOf(from));
      if (to !== undefined) query = query.where('day', '<=', dayOf(to - 1));
      const names = group.map(each => columns[each]);
      const rows = await query
        .select(({ fn }) => sums.map(name => fn.coalesce(fn.sum<number>(name), sql.lit(0)).as(name)))
        .$if(names.length > 0, builder =>
          builder
            .select(names)
            .groupBy(names)
            .$call(each => names.reduce((ordered, name) => ordered.orderBy(name), each)),
        )
        .execute();
      return rows.map(toUsageLine);
    });
  }

  /** The newest first. `after`: what came with the page before. */
  calls(
    { from, to, ...filter }: UsageFilter,
    limit: number,
    after: string | undefined,
  ): Promise<{ rows: CallLine[]; next: string | undefined }> {
    return answered(async () => {
      let query = filtered(this.#store.db.selectFrom('calls'), filter).selectAll();
      if (from !== undefined) query = query.where('at', '>=', from);
      if (to !== undefined) query = query.where('at', '<', to);
      if (after !== undefined) query = query.where(placeAfter(after));
      const rows = await query
        .orderBy('at', 'desc')
        .orderBy('request_id', 'desc')
        .orderBy('call', 'desc')
        .limit(limit)
        .execute();
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return { rows: rows.map(toCallLine), next: last && `${last.at}.${last.request_id}.${last.call}` };
    });
  }
}

function filtered<Table extends 'usage' | 'calls', Row>(
  query: SelectQueryBuilder<StoreTables, Table, Row>,
  { tenant, key, model }: UsageFilter,
): SelectQueryBuilder<StoreTables, Table, Row> {
  let result = query as SelectQueryBuilder<StoreTables, 'calls', Row>;
  if (tenant !== undefined) result = result.where('tenant', '=', tenant);
  if (key !== undefined) result = result.where('key_id', '=', key);
  if (model !== undefined) result = result.where(eb => eb.or([eb('model', '=', model), eb('adapter', '=', model)]));
  return result as SelectQueryBuilder<StoreTables, Table, Row>;
}

function placeAfter(after: string) {
  const [, at, request, call] = /^(\d{1,15})\.(\w{1,64})\.(\d{1,9})$/.exec(after) ?? [];
  if (at === undefined)
    throw new RealmError('invalid_request', 'after: must be `next` of the page before', { param: 'after' });
  return sql<boolean>`(at, request_id, call) < (${Number(at)}, ${request}, ${Number(call)})`;
}

type UsageRow = Record<(typeof sums)[number], number> & {
  tenant?: string;
  key_id?: string;
  model?: string;
  day?: number;
};

function toUsageLine({ tenant, key_id, model, day, cost, ...rest }: UsageRow): UsageLine {
  return {
    ...(tenant !== undefined && { tenant }),
    ...(key_id !== undefined && { key_id: key_id || null }),
    ...(model !== undefined && { model }),
    ...(day !== undefined && { day: new Date(day * dayMs).toISOString().slice(0, 10) }),
    ...rest,
    cost: cost / billionths,
  };
}

function toCallLine(row: CallTable): CallLine {
  const { request_id, call, tenant, key_id, model, adapter, input_tokens, cached_tokens, output_tokens, status } = row;
  return {
    request_id,
    call,
    tenant,
    key_id: key_id || null,
    model,
    adapter: adapter || null,
    input_tokens,
    cached_tokens,
    output_tokens,
    status,
    at: new Date(row.at).toISOString(),
    cost: row.cost / billionths,
  };
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RealmError) throw error;
    throw new RealmError('store_unavailable', "The server's store does not answer; try again in a few seconds", {
      retryAfter: 5,
      cause: error,
    });
  }
}
