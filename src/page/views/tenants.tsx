import { useState } from 'preact/hooks';
import type { Rate, Tenant } from '../api/types.ts';
import { compact, count } from '../format.ts';
import { linkTo } from '../route.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { Budgets } from '../ui/budgets.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useLoad } from '../use-load.ts';
import { TenantDialog } from './tenant-dialog.tsx';
import { formOf, newTenantOf } from './tenant-form.ts';

export function Tenants() {
  const admin = useAdmin();
  const { data, error, reload } = useLoad(admin.tenants);
  const [creating, setCreating] = useState(false);
  return (
    <View
      title="Tenants"
      error={error}
      actions={
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          New tenant
        </button>
      }
    >
      <Table name="Tenants" columns={columns} rows={data} empty="There are no tenants." keyOf={({ id }) => id} />
      {creating && (
        <TenantDialog
          title="New tenant"
          initial={formOf()}
          isNew
          save={form => admin.createTenant(newTenantOf(form)).then(reload)}
          onClose={() => setCreating(false)}
        />
      )}
    </View>
  );
}

const columns: readonly Column<Tenant>[] = [
  { title: 'Tenant', cell: ({ id }) => <a href={linkTo('tenants', id)}>{id}</a> },
  {
    title: 'State',
    cell: ({ disabled }) => <Badge tone={disabled ? 'bad' : 'good'}>{disabled ? 'disabled' : 'active'}</Badge>,
  },
  { title: 'From', cell: ({ source }) => (source === 'file' ? 'realm.yaml' : 'the store') },
  { title: 'Weight', number: true, cell: ({ weight }) => count(weight ?? 1) },
  { title: 'Budgets', cell: ({ budgets }) => <Budgets of={budgets} /> },
  { title: 'Rates', cell: ({ rate }) => ratesText(rate) },
];

export function ratesText(rate: Rate | null | undefined): string {
  const parts = [
    rate?.requests_per_minute && `${compact(rate.requests_per_minute)} requests a minute`,
    rate?.tokens_per_minute && `${compact(rate.tokens_per_minute)} tokens a minute`,
    rate?.concurrent && `${compact(rate.concurrent)} at once`,
  ].filter(Boolean);
  return parts.length === 0 ? 'no limit' : parts.join(', ');
}
