import { z } from 'zod';
import { RealmError } from '../../../errors.ts';
import { type Group, groups } from '../../../metering/reports.ts';
import { check, issueText } from '../../../tenancy/issues.ts';
import type { AppContext, Route } from '../../route.ts';

const time = z
  .string()
  .refine(text => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text)), {
    error: 'must be a date (2026-11-26) or a time (2026-11-26T12:00:00Z)',
  })
  .transform(text => Date.parse(text))
  .optional();

const groupBy = z
  .string()
  .transform(text => text.split(','))
  .refine((list): list is Group[] => list.every(each => (groups as readonly string[]).includes(each)), {
    error: `must be of ${groups.join(', ')}, with commas between`,
  })
  .optional();

const querySchema = z.strictObject({
  tenant: z.string().optional(),
  key: z.string().optional(),
  model: z.string().optional(),
  from: time,
  to: time,
  group_by: groupBy,
  detail: z.enum(['true', 'false']).default('false'),
  format: z.enum(['json', 'csv']).default('json'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  after: z.string().optional(),
});

/** Who used what. */
export const adminUsageRoute: Route = {
  method: 'GET',
  path: '/admin/v1/usage',
  summary: 'What was used, in sums or call by call, as JSON or CSV',
  admin: true,
  query: {
    tenant: 'Of this tenant only',
    key: 'Of the key with this public id only',
    model: 'Of this model, or adapter, only',
    from: 'A date or a time: what began then or later; sums are of whole days',
    to: 'A date or a time: what began before',
    group_by: 'Of tenant, key, model, day, with commas between; default tenant',
    detail: 'true: a row for every call, the newest first',
    format: 'json or csv',
    limit: 'Most rows of calls; default 1000, at most 10000',
    after: 'Of calls: `next` of the page before (of CSV, the header x-next)',
  },
  async handle(context) {
    const { usage } = context.var.services;
    const { detail, format, group_by: group = ['tenant'], limit, after, ...filter } = readQuery(context);
    const { rows, next } =
      detail === 'true'
        ? await usage.calls(filter, limit, after)
        : { rows: await usage.by(group, filter), next: undefined };
    if (format === 'json') return context.json({ rows, ...(next !== undefined && { next }) });
    if (next !== undefined) context.header('x-next', next);
    return context.body(toCsv(rows), 200, { 'content-type': 'text/csv; charset=utf-8' });
  },
};

function readQuery(context: AppContext): z.output<typeof querySchema> {
  const checked = check(querySchema as z.ZodType<z.output<typeof querySchema>>, context.req.query());
  if ('value' in checked) return checked.value;
  const [first] = checked.issues;
  throw new RealmError('invalid_request', checked.issues.map(issueText).join('; '), { param: first?.path });
}

/** RFC 4180. */
function toCsv(rows: readonly object[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map(row => names.map(name => cell((row as Record<string, unknown>)[name])).join(','));
  return [names.join(','), ...lines].map(line => `${line}\r\n`).join('');
}

function cell(value: unknown): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
