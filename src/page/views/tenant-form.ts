import type { NewTenant, TenantChange } from '../api/admin.ts';
import type { Budget, Rate, Tenant } from '../api/types.ts';

/** What is typed of a tenant, as texts; the fields that most tenants need. The others are in realm.yaml and the API. */
export interface TenantForm {
  readonly id: string;
  readonly weight: string;
  /** Of the first budget. */
  readonly limit: string;
  readonly unit: string;
  readonly period: string;
  readonly requests: string;
  readonly tokens: string;
  readonly concurrent: string;
}

const text = (value: number | null | undefined): string => (value === null || value === undefined ? '' : String(value));

export function formOf(tenant?: Tenant): TenantForm {
  const [budget] = tenant?.budgets ?? [];
  return {
    id: tenant?.id ?? '',
    weight: text(tenant?.weight),
    limit: text(budget?.limit),
    unit: budget?.unit ?? 'tokens',
    period: budget?.period ?? 'month',
    requests: text(tenant?.rate?.requests_per_minute),
    tokens: text(tenant?.rate?.tokens_per_minute),
    concurrent: text(tenant?.rate?.concurrent),
  };
}

/** What was left empty is not sent. */
export function newTenantOf(form: TenantForm): NewTenant {
  const { weight, budgets, rate } = changeOf(form);
  return { id: form.id, ...(weight && { weight }), ...(budgets && { budgets }), ...(rate && { rate }) };
}

/** What was left empty is taken away; budgets after the first stay. */
export function changeOf(form: TenantForm, before?: Tenant): TenantChange {
  const budgets = [...budgetOf(form, before?.budgets?.[0]), ...(before?.budgets ?? []).slice(1).map(written)];
  const rate: Rate = {
    ...(form.requests !== '' && { requests_per_minute: Number(form.requests) }),
    ...(form.tokens !== '' && { tokens_per_minute: Number(form.tokens) }),
    ...(form.concurrent !== '' && { concurrent: Number(form.concurrent) }),
  };
  return {
    weight: form.weight === '' ? null : Number(form.weight),
    budgets: budgets.length === 0 ? null : budgets,
    rate: Object.keys(rate).length === 0 ? null : rate,
  };
}

function budgetOf({ limit, unit, period }: TenantForm, before?: Budget): Budget[] {
  if (limit === '') return [];
  return [written({ ...before, unit, period, limit: Number(limit) } as Budget)];
}

/** Without what is only answered. */
const written = ({ unit, period, limit, model }: Budget): Budget => ({ unit, period, limit, ...(model && { model }) });
