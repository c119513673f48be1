import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Tenant } from '../api/types.ts';
import { changeOf, formOf, newTenantOf } from './tenant-form.ts';

it('creates a tenant of what was typed alone', () => {
  assert.deepEqual(newTenantOf({ ...formOf(), id: 'a' }), { id: 'a' });
  assert.deepEqual(newTenantOf({ ...formOf(), id: 'a', weight: '2', limit: '50', concurrent: '3' }), {
    id: 'a',
    weight: 2,
    budgets: [{ unit: 'tokens', period: 'month', limit: 50 }],
    rate: { concurrent: 3 },
  });
});

it('changes a tenant, keeps its other budgets and takes away what was emptied', () => {
  const tenant: Tenant = {
    id: 'a',
    weight: 2,
    budgets: [
      { unit: 'tokens', period: 'day', limit: 5, spent: 1, model: 'small' },
      { unit: 'money', period: 'total', limit: 7, spent: 2, model: null },
    ],
    rate: { requests_per_minute: 60 },
  };
  const form = formOf(tenant);
  assert.deepEqual(changeOf(form, tenant), {
    weight: 2,
    budgets: [
      { unit: 'tokens', period: 'day', limit: 5, model: 'small' },
      { unit: 'money', period: 'total', limit: 7 },
    ],
    rate: { requests_per_minute: 60 },
  });
  const emptied = changeOf({ ...form, weight: '', limit: '', requests: '' }, tenant);
  assert.deepEqual(emptied, { weight: null, budgets: [{ unit: 'money', period: 'total', limit: 7 }], rate: null });
});
