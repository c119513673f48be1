import { useCallback, useEffect, useState } from 'preact/hooks';
import type { AdminApi } from '../api/admin.ts';
import type { Model } from '../api/types.ts';
import { ago, bytes, count, percent } from '../format.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Meter } from '../ui/meter.tsx';
import { Notice } from '../ui/notice.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { type Action, useAction } from '../use-action.ts';
import { useLoad } from '../use-load.ts';
import { AddModel } from './add-model.tsx';

const everyMs = 5000;

/** Which models are loaded, what they hold, and loading and unloading them. */
export function Models() {
  const admin = useAdmin();
  const { data, error, reload } = useLoad(admin.models, everyMs);
  useModelEvents(admin, reload);
  const action = useAction();
  const [adding, setAdding] = useState(false);
  const [unloading, setUnloading] = useState<Model>();
  const act = (work: Promise<unknown>) => action.run(() => work.finally(reload));
  const buttons = {
    title: 'Actions',
    cell: (model: Model) => <Buttons {...{ model, admin, action, act, setUnloading }} />,
  };
  return (
    <View
      title="Models"
      error={error}
      actions={
        <button type="button" onClick={() => setAdding(true)}>
          Add a model
        </button>
      }
    >
      <Notice error={action.error} />
      <Table
        name="Models"
        columns={[...columns, buttons]}
        rows={data}
        empty="There are no models."
        keyOf={({ id }) => id}
      />
      {adding && <AddModel admin={admin} onClose={() => setAdding(false)} onAdded={reload} />}
      {unloading && (
        <Confirm
          title={`Unload ${unloading.id}?`}
          confirm="Unload"
          act={() => admin.unloadModel(unloading.id).finally(reload)}
          onClose={() => setUnloading(undefined)}
        >
          <p>Its memory is given back when the requests that it answers have ended.</p>
        </Confirm>
      )}
    </View>
  );
}

/** Whatever happens to a model, the list is asked for again; a server without events is asked every few seconds anyway. */
function useModelEvents(admin: AdminApi, reload: () => void): void {
  const listen = useCallback(
    async (signal: AbortSignal) => {
      for await (const _ of admin.modelEvents(signal)) reload();
    },
    [admin, reload],
  );
  useEffect(() => {
    const left = new AbortController();
    listen(left.signal).catch(() => {});
    return () => left.abort();
  }, [listen]);
}

interface ButtonsProps {
  readonly model: Model;
  readonly admin: AdminApi;
  readonly action: Action;
  act(work: Promise<unknown>): void;
  setUnloading(model: Model): void;
}

function Buttons({ model, admin, action, act, setUnloading }: ButtonsProps) {
  const { id, state, pinned } = model;
  const there = state === 'ready' || state === 'loading';
  return (
    <div class="actions">
      {there ? (
        <button type="button" disabled={action.busy} aria-label={`Unload ${id}`} onClick={() => setUnloading(model)}>
          Unload
        </button>
      ) : (
        <button type="button" disabled={action.busy} aria-label={`Load ${id}`} onClick={() => act(admin.loadModel(id))}>
          Load
        </button>
      )}
      <button
        type="button"
        disabled={action.busy}
        aria-pressed={pinned === true}
        aria-label={`Pin ${id}`}
        onClick={() => act(admin.changeModel(id, { pinned: !pinned }))}
      >
        {pinned ? 'Pinned' : 'Pin'}
      </button>
    </div>
  );
}

const columns: readonly Column<Model>[] = [
  { title: 'Model', cell: ({ id, aliases }) => <Name id={id} aliases={aliases ?? []} /> },
  { title: 'State', cell: model => <State {...model} /> },
  { title: 'Memory', number: true, cell: ({ memory_bytes }) => bytes(memory_bytes) },
  { title: 'Running', number: true, cell: ({ running }) => count(running) },
  { title: 'Waiting', number: true, cell: ({ waiting }) => count(waiting) },
  { title: 'In use by', number: true, cell: ({ leases }) => count(leases) },
  { title: 'Loaded', cell: ({ loaded_at }) => ago(loaded_at) },
];

function Name({ id, aliases }: { readonly id: string; readonly aliases: readonly string[] }) {
  return (
    <>
      {id}
      {aliases.length > 0 && <span class="muted"> also {aliases.join(', ')}</span>}
    </>
  );
}

const tones = { unloaded: 'plain', loading: 'busy', ready: 'good', failed: 'bad' } as const;

function State({ id, state, progress, error }: Model) {
  const why = typeof error === 'string' ? error : error?.message;
  return (
    <>
      <Badge tone={tones[state]}>{state}</Badge>
      {state === 'loading' && typeof progress === 'number' && (
        <Meter name={`Loading ${id}`} share={progress} text={percent(progress)} />
      )}
      {why && <p class="why">{why}</p>}
    </>
  );
}
