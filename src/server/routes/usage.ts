import type { BudgetState } from '../../metering/meter.ts';
import { type PeriodName, periodAt, periodNames } from '../../metering/periods.ts';
import type { Route } from '../route.ts';

/** What the tenant that asks has used in the shortest period that it has a budget for; without one, this month. */
export const usageRoute: Route = {
  method: 'GET',
  path: '/v1/usage',
  summary: 'What the tenant has used in this period, and what is left of its budgets',
  async handle(context) {
    const { services, tenant } = context.var;
    const budgets = (await services.meter.budgetsOf?.(tenant.id)) ?? [];
    const period = periodAt(shortest(budgets), Date.now());
    const { name, from, to } = period;
    return context.json({
      object: 'usage',
      period: name,
      from: isoOf(from),
      to: isoOf(to),
      ...(await services.usage.ofTenant(tenant.id, period)),
      budgets: budgets.map(({ model = null, ...rest }) => ({ ...rest, model })),
    });
  },
};

function shortest(budgets: readonly BudgetState[]): PeriodName {
  return periodNames.find(name => budgets.some(({ period }) => period === name)) ?? 'month';
}

const isoOf = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
