import { useState } from 'preact/hooks';
import type { AdminApi } from '../api/admin.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Field, Select } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { useAction } from '../use-action.ts';

interface Props {
  readonly admin: AdminApi;
  onAdded(): void;
  onClose(): void;
}

export function AddModel({ admin, onAdded, onClose }: Props) {
  const [id, setId] = useState('');
  const [kind, setKind] = useState('catalog');
  const [place, setPlace] = useState('');
  const { busy, error, run } = useAction();
  const add = async (event: Event) => {
    event.preventDefault();
    const source = kind === 'path' ? { path: place } : { catalog: place };
    if (!(await run(() => admin.addModel({ id, ...source })))) return;
    onAdded();
    onClose();
  };
  return (
    <Dialog title="Add a model" onClose={onClose}>
      <form onSubmit={add}>
        <Field label="Id" hint="What clients call it" required value={id} onValue={setId} />
        <Select
          label="From"
          value={kind}
          onValue={setKind}
          options={[
            ['catalog', 'the catalog'],
            ['path', 'a file on the server'],
          ]}
        />
        <Field label={kind === 'path' ? 'Path' : 'Name in the catalog'} required value={place} onValue={setPlace} />
        <Notice error={error} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}
