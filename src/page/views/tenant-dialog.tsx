import { useState } from 'preact/hooks';
import { Dialog } from '../ui/dialog.tsx';
import { Field, Select } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { useAction } from '../use-action.ts';
import type { TenantForm } from './tenant-form.ts';

interface Props {
  readonly title: string;
  readonly initial: TenantForm;
  /** There is none of that id yet. */
  readonly isNew?: boolean;
  /** Closes the dialog when it went well. */
  save(form: TenantForm): Promise<unknown>;
  onClose(): void;
}

export function TenantDialog({ title, initial, isNew, save, onClose }: Props) {
  const [form, setForm] = useState(initial);
  const { busy, error, run } = useAction();
  const field = (name: keyof TenantForm) => ({
    value: form[name],
    onValue: (value: string) => setForm(form => ({ ...form, [name]: value })),
  });
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await run(() => save(form))) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {isNew && <Field label="Id" required {...field('id')} />}
        <Field label="Weight" hint="Its share beside others; 1 by itself" {...amount} {...field('weight')} />
        <fieldset class="row">
          <legend>Budget</legend>
          <Field label="Limit" {...amount} {...field('limit')} />
          <Select label="Unit" options={units} {...field('unit')} />
          <Select label="Period" options={periods} {...field('period')} />
        </fieldset>
        <fieldset class="row">
          <legend>Rate, a minute</legend>
          <Field label="Requests" {...amount} {...field('requests')} />
          <Field label="Tokens" {...amount} {...field('tokens')} />
        </fieldset>
        <Field label="Requests at once" {...amount} {...field('concurrent')} />
        <Notice error={error} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            {isNew ? 'Create' : 'Change'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const amount = { type: 'number', min: 0, step: 'any' } as const;
const units = ['tokens', 'requests', 'money'].map(unit => [unit, unit] as const);
const periods = [
  ['day', 'a day'],
  ['month', 'a month'],
  ['total', 'for ever'],
] as const;
