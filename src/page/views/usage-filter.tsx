import { useState } from 'preact/hooks';
import type { UsageQuery } from '../api/admin.ts';
import { Field, Select } from '../ui/field.tsx';

const groups = [
  ['tenant,model', 'tenant and model'],
  ['tenant', 'tenant'],
  ['tenant,key', 'tenant and key'],
  ['model', 'model'],
  ['day', 'day'],
  ['tenant,day', 'tenant and day'],
  ['detail', 'nothing: each call'],
] as const;

export function UsageFilter({ onQuery }: { onQuery(query: UsageQuery): void }) {
  const [form, setForm] = useState({ by: 'tenant,model', tenant: '', model: '', from: '', to: '' });
  const set = (name: keyof typeof form) => (value: string) => setForm(form => ({ ...form, [name]: value }));
  const show = (event: Event) => {
    event.preventDefault();
    const { by, ...rest } = form;
    onQuery({ ...rest, ...(by === 'detail' ? { detail: true } : { group_by: by }) });
  };
  return (
    <form class="filter" onSubmit={show}>
      <Select label="Sum by" value={form.by} onValue={set('by')} options={groups} />
      <Field label="Tenant" value={form.tenant} onValue={set('tenant')} />
      <Field label="Model" value={form.model} onValue={set('model')} />
      <Field label="From" type="date" value={form.from} onValue={set('from')} />
      <Field label="To" type="date" value={form.to} onValue={set('to')} />
      <button type="submit" class="primary">
        Show
      </button>
    </form>
  );
}
