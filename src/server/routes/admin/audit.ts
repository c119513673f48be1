import { numberInQuery } from '../../query.ts';
import type { Route } from '../../route.ts';
import { operatorOf } from './operator.ts';

export const auditRoute: Route = {
  method: 'GET',
  path: '/admin/v1/audit',
  summary: 'What operators did, the oldest first',
  query: { after: 'Only entries with a higher seq', limit: 'Most entries, at most 1000; default 100' },
  admin: true,
  async handle(context) {
    const after = numberInQuery(context, 'after', { least: 0, most: Number.MAX_SAFE_INTEGER, absent: 0 });
    const limit = numberInQuery(context, 'limit', { least: 1, most: 1000, absent: 100 });
    return context.json({ data: await operatorOf(context).audit(after, limit) });
  },
};
