import { RealmError } from '../errors.ts';
import type { Lease } from './lease.ts';
import { billionths } from './prices.ts';

/** Why a call may not be made: what is left of a budget is less than it needs at the least. */
export function refusal(lease: Lease, least: number): RealmError {
  const { budget, period } = lease;
  const left = Math.max(0, lease.room) + lease.left;
  const amount = (value: number) => (budget.unit === 'money' ? String(value / billionths) : String(value));
  const of = [
    budget.key === undefined ? '' : ' of this key',
    budget.model === undefined ? '' : ` for ${budget.model}`,
    period.name === 'total' ? '' : ` a ${period.name}`,
  ].join('');
  const needs = left === 0 ? 'is spent' : `has ${amount(left)} left, and this call needs ${amount(least)} at least`;
  const anew =
    period.to === undefined
      ? 'it does not begin anew: ask the operator for more'
      : `it begins anew at ${new Date(period.to).toISOString()}`;
  const what = budget.unit === 'money' ? 'in money' : budget.unit;
  // What is reserved for calls that run may come back in part.
  const reserved = lease.used;
  if (reserved > 0) {
    const message = `The budget${of} of ${amount(lease.limit)} ${what} ${left === 0 ? 'has nothing left' : needs}, but calls that run have reserved ${amount(reserved)} of it; try again when they have ended`;
    return new RealmError('insufficient_quota', message, { retryAfter: 1 });
  }
  return new RealmError('insufficient_quota', `The budget${of} of ${amount(lease.limit)} ${what} ${needs}; ${anew}`);
}
