import { useState } from 'preact/hooks';
import type { AdminApi, NewKey } from '../api/admin.ts';
import type { CreatedKey } from '../api/types.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Field } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { useAction } from '../use-action.ts';

interface Props {
  readonly admin: AdminApi;
  readonly tenant: string;
  onCreated(key: CreatedKey): void;
  onClose(): void;
}

const allScopes = [
  ['inference', 'Inference: ask the models'],
  ['read', 'Read: look at what the operator sees'],
  ['admin', 'Admin: do what the operator does'],
] as const;

export function NewKeyDialog({ admin, tenant, onCreated, onClose }: Props) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<readonly string[]>(['inference']);
  const [models, setModels] = useState('');
  const [expires, setExpires] = useState('');
  const { busy, error, run } = useAction();
  const toggle = (scope: string, on: boolean) =>
    setScopes(scopes => (on ? [...scopes, scope] : scopes.filter(each => each !== scope)));
  const create = async (event: Event) => {
    event.preventDefault();
    await run(async () => onCreated(await admin.createKey(tenant, keyOf(name, scopes, models, expires))));
  };
  return (
    <Dialog title={`New key for ${tenant}`} onClose={onClose}>
      <form onSubmit={create}>
        <Field label="Name" hint="For whom or what it is" value={name} onValue={setName} />
        <fieldset>
          <legend>What it may do</legend>
          {allScopes.map(([scope, label]) => (
            <Check key={scope} label={label} checked={scopes.includes(scope)} onChecked={on => toggle(scope, on)} />
          ))}
        </fieldset>
        <Field label="Models" hint="Ids with commas between; empty: all" value={models} onValue={setModels} />
        <Field label="Expires, in UTC" hint="Empty: never" type="datetime-local" value={expires} onValue={setExpires} />
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

function keyOf(name: string, scopes: readonly string[], models: string, expires: string): NewKey {
  const ids = models.split(',').map(id => id.trim());
  const named = ids.filter(id => id !== '');
  return {
    scopes,
    ...(name !== '' && { name }),
    ...(named.length > 0 && { models: named }),
    ...(expires !== '' && { expires_at: new Date(`${expires}Z`).toISOString() }),
  };
}
