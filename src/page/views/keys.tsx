import { useCallback, useState } from 'preact/hooks';
import type { CreatedKey, Key } from '../api/types.ts';
import { ago, time } from '../format.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { Copy } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { useLoad } from '../use-load.ts';
import { NewKeyDialog } from './new-key.tsx';
import { RevokeDialog } from './revoke-key.tsx';
import { RotateDialog } from './rotate-key.tsx';

type Open =
  | { readonly kind: 'create' }
  | { readonly kind: 'rotate'; readonly key: Key }
  | { readonly kind: 'revoke'; readonly key: Key }
  | { readonly kind: 'created'; readonly key: CreatedKey };

/** A tenant's keys by their public ids. */
export function KeyList({ tenant }: { readonly tenant: string }) {
  const admin = useAdmin();
  const load = useCallback((signal: AbortSignal) => admin.keys(tenant, signal), [admin, tenant]);
  const { data, error, reload } = useLoad(load);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const show = (key: CreatedKey) => {
    setOpen({ kind: 'created', key });
    reload();
  };
  const shared = { admin, tenant, onClose: close };
  const actions = { title: 'Actions', cell: (key: Key) => <Buttons of={key} setOpen={setOpen} /> };
  return (
    <section>
      <header class="view-head">
        <h2>Keys</h2>
        <button type="button" class="primary" onClick={() => setOpen({ kind: 'create' })}>
          New key
        </button>
      </header>
      <Notice error={error} />
      <Table
        name={`Keys of ${tenant}`}
        columns={[...columns, actions]}
        rows={data}
        empty="It has no keys."
        keyOf={({ id }) => id}
      />
      {open?.kind === 'create' && <NewKeyDialog {...shared} onCreated={show} />}
      {open?.kind === 'rotate' && <RotateDialog {...shared} of={open.key} onRotated={show} />}
      {open?.kind === 'revoke' && <RevokeDialog {...shared} of={open.key} onRevoked={reload} />}
      {open?.kind === 'created' && <ShownOnce of={open.key} onClose={close} />}
    </section>
  );
}

function Buttons({ of: key, setOpen }: { readonly of: Key; setOpen(open: Open): void }) {
  if (key.source === 'file') return <span class="muted">in realm.yaml</span>;
  if (isPast(key.revoked_at) || isPast(key.expires_at)) return null;
  const name = key.name || key.id;
  return (
    <div class="actions">
      <button type="button" aria-label={`Rotate ${name}`} onClick={() => setOpen({ kind: 'rotate', key })}>
        Rotate
      </button>
      <button
        type="button"
        class="danger"
        aria-label={`Revoke ${name}`}
        onClick={() => setOpen({ kind: 'revoke', key })}
      >
        Revoke
      </button>
    </div>
  );
}

const columns: readonly Column<Key>[] = [
  { title: 'Key', cell: ({ id }) => <code>{id}</code> },
  { title: 'Name', cell: ({ name }) => name || '–' },
  { title: 'State', cell: key => <State of={key} /> },
  { title: 'May', cell: ({ scopes }) => scopes?.join(', ') || 'inference' },
  { title: 'Models', cell: ({ models }) => models?.join(', ') || 'all' },
  { title: 'Created', cell: ({ created_at }) => ago(created_at) },
  { title: 'Last used', cell: ({ last_used_at }) => (last_used_at ? ago(last_used_at) : 'never') },
  { title: 'Expires', cell: ({ expires_at }) => (expires_at ? time(expires_at) : 'never') },
];

const isPast = (iso: string | null | undefined): boolean => Boolean(iso) && Date.parse(iso ?? '') <= Date.now();

function State({ of: { revoked_at, expires_at } }: { readonly of: Key }) {
  if (isPast(revoked_at)) return <Badge tone="bad">revoked</Badge>;
  // One that was rotated.
  if (revoked_at) return <Badge tone="busy">{`until ${time(revoked_at)}`}</Badge>;
  if (isPast(expires_at)) return <Badge tone="bad">expired</Badge>;
  return <Badge tone="good">active</Badge>;
}

function ShownOnce({ of: { key, id }, onClose }: { readonly of: CreatedKey; onClose(): void }) {
  return (
    <Dialog title="The new key" onClose={onClose}>
      <p>This is the only time that it is shown: the server keeps its hash. In logs it is called {id}.</p>
      <p class="secret">
        <code>{key}</code>
      </p>
      <div class="actions">
        <Copy text={key} />
        <button type="button" class="primary" onClick={onClose}>
          I have it
        </button>
      </div>
    </Dialog>
  );
}
