import { useState } from 'preact/hooks';
import type { AdminApi, NewTenant } from '../api/admin.ts';
import type { Budget } from '../api/types.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Field, Select } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { useAction } from '../use-action.ts';

interface Props {
  readonly admin: AdminApi;
  onCreated(): void;
  onClose(): void;
}

const empty = { id: '', weight: '', limit: '', unit: 'tokens', period: 'month', requests: '', tokens: '' };

/** The fields that most tenants need; the others are in realm.yaml and the API. */
export function NewTenantDialog({ admin, onCreated, onClose }: Props) {
  const [form, setForm] = useState(empty);
  const { busy, error, run } = useAction();
  const set = (name: keyof typeof empty) => (value: string) => setForm(form => ({ ...form, [name]: value }));
  const create = async (event: Event) => {
    event.preventDefault();
    if (!(await run(() => admin.createTenant(tenantOf(form))))) return;
    onCreated();
    onClose();
  };
  const amount = { type: 'number', min: 0, step: 'any' } as const;
  return (
    <Dialog title="New tenant" onClose={onClose}>
      <form onSubmit={create}>
        <Field label="Id" required value={form.id} onValue={set('id')} />
        <Field
          label="Weight"
          hint="Its share beside others; 1 by itself"
          {...amount}
          value={form.weight}
          onValue={set('weight')}
        />
        <fieldset class="row">
          <legend>Budget</legend>
          <Field label="Limit" {...amount} value={form.limit} onValue={set('limit')} />
          <Select label="Unit" value={form.unit} onValue={set('unit')} options={units} />
          <Select label="Period" value={form.period} onValue={set('period')} options={periods} />
        </fieldset>
        <fieldset class="row">
          <legend>Rate, a minute</legend>
          <Field label="Requests" {...amount} value={form.requests} onValue={set('requests')} />
          <Field label="Tokens" {...amount} value={form.tokens} onValue={set('tokens')} />
        </fieldset>
        <Notice error={error} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const units = ['tokens', 'requests', 'money'].map(unit => [unit, unit] as const);
const periods = [
  ['day', 'a day'],
  ['month', 'a month'],
  ['total', 'for ever'],
] as const;

/** What was left empty is not sent. */
function tenantOf(form: typeof empty): NewTenant {
  const { id, weight, limit, unit, period, requests, tokens } = form;
  const budget = { unit, period, limit: Number(limit) } as Budget;
  const rate = {
    ...(requests !== '' && { requests_per_minute: Number(requests) }),
    ...(tokens !== '' && { tokens_per_minute: Number(tokens) }),
  };
  return {
    id,
    ...(weight !== '' && { weight: Number(weight) }),
    ...(limit !== '' && { budgets: [budget] }),
    ...(Object.keys(rate).length > 0 && { rate }),
  };
}
