import type { Period, PeriodName } from './periods.ts';
import { billionths, mostCost, type Tariff, tokensFor } from './prices.ts';

/** The most that may be used in a period, or ever. */
export interface Budget {
  readonly unit: 'tokens' | 'requests' | 'money';
  readonly limit: number;
  /** Days and months are those of UTC. */
  readonly period: PeriodName;
  /** Of this model, or adapter, only; absent: of all together. */
  readonly model?: string | undefined;
  /** The public id of the one key that it is for; absent: for all of the tenant's together. */
  readonly key?: string | undefined;
}

/** The budgets that a call of a tenant, with a key, must keep to. Asked at every call: they may change. */
export type BudgetSource = (tenant: string, keyId: string | undefined) => readonly Budget[];

/** What a budget counts, as the ledger's rows have it. */
export interface Amounts {
  readonly requests: number;
  readonly model_requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost: number;
}

/** What the ledger's rows must have for a budget to count them. */
type Measure = 'tokens' | 'requests' | 'model_requests' | 'cost';

/** Of a call that has not been made. */
export interface Wish {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly tariff: Tariff;
  /** Of its HTTP request, the first to any model, and the first to this model. */
  readonly first: boolean;
  readonly firstOfModel: boolean;
}

/** Sums of what the store counts stay exact. */
const most = 2 ** 52;

/** The limit in what is counted: whole tokens, requests, or billionths. */
export function wholeLimit({ unit, limit }: Budget): number {
  return Math.min(most, Math.floor(unit === 'money' ? limit * billionths : limit));
}

export function measureOf({ unit, model }: Budget): Measure {
  if (unit === 'money') return 'cost';
  return unit === 'requests' && model !== undefined ? 'model_requests' : unit;
}

/**
 * The name of a budget in one of its periods; begins with what it counts. The limit is not in it: a budget that is raised stays the same.
 * No part but the last can have a colon.
 */
export function budgetId(budget: Budget, tenant: string, period: Period): string {
  const { key = '', model = '' } = budget;
  return `${measureOf(budget)}:${period.id}:${tenant}:${key}:${model}`;
}

/** What a row counts in the budget of that name. */
export function amountOf(id: string, row: Amounts): number {
  const measure = id.slice(0, id.indexOf(':')) as Measure;
  return measure === 'tokens' ? row.input_tokens + row.output_tokens : row[measure];
}

/** The most that a call can take of a budget. */
export function mostOf(budget: Budget, wish: Wish): number {
  if (budget.unit === 'tokens') return wish.promptTokens + wish.maxTokens;
  if (budget.unit === 'money') return mostCost(wish.tariff, wish.promptTokens, wish.maxTokens);
  return (budget.model === undefined ? wish.first : wish.firstOfModel) ? 1 : 0;
}

/** Most tokens that a call may generate where so much is left of a budget; negative: not even its prompt fits. */
export function tokensWithin(budget: Budget, wish: Wish, left: number): number {
  if (budget.unit === 'tokens') return left - wish.promptTokens;
  if (budget.unit === 'money') return tokensFor(wish.tariff, wish.promptTokens, left);
  return mostOf(budget, wish) <= left ? Number.POSITIVE_INFINITY : -1;
}
