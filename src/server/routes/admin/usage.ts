import type { z } from 'zod';
import { RealmError } from '../../../errors.ts';
import { toCsv, usageQuerySchema } from '../../../metering/usage-query.ts';
import { check, issueText } from '../../../tenancy/issues.ts';
import type { AppContext, Route } from '../../route.ts';

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
    const { format, ...query } = readQuery(context);
    const { rows, next } = await usage.of(query);
    if (format === 'json') return context.json({ rows, ...(next !== undefined && { next }) });
    if (next !== undefined) context.header('x-next', next);
    return context.body(toCsv(rows), 200, { 'content-type': 'text/csv; charset=utf-8' });
  },
};

function readQuery(context: AppContext): z.output<typeof usageQuerySchema> {
  const checked = check(usageQuerySchema as z.ZodType<z.output<typeof usageQuerySchema>>, context.req.query());
  if ('value' in checked) return checked.value;
  const [first] = checked.issues;
  throw new RealmError('invalid_request', checked.issues.map(issueText).join('; '), { param: first?.path });
}
