import { useEffect, useState } from 'preact/hooks';
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
import { useAction } from '../use-action.ts';
import { useLoad } from '../use-load.ts';
import { AddModel } from './add-model.tsx';
import { ModelButtons } from './model-buttons.tsx';

const everyMs = 5000;

interface Asking {
  readonly kind: 'unload' | 'remove';
  readonly model: Model;
}

/** Which models are loaded, what they hold, and loading and unloading them. */
export function Models() {
  const admin = useAdmin();
  const { data, error, reload } = useLoad(admin.models, everyMs);
  useModelEvents(admin, reload);
  const action = useAction();
  const [adding, setAdding] = useState(false);
  const [asking, setAsking] = useState<Asking>();
  /** Some answers come when a model is loaded or its requests have ended: nobody waits for them. */
  const act = (work: () => Promise<unknown>) => {
    void action.run(work).then(reload);
    reload();
  };
  const buttons = {
    title: 'Actions',
    cell: (model: Model) => (
      <ModelButtons model={model} admin={admin} act={act} ask={kind => setAsking({ kind, model })} />
    ),
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
      {asking && <Ask {...asking} admin={admin} act={act} onClose={() => setAsking(undefined)} />}
    </View>
  );
}

/** Soon after something happens to a model the list is asked for again; a server without events is asked anyway. */
function useModelEvents(admin: AdminApi, reload: () => void): void {
  useEffect(() => {
    const left = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        reload();
      }, 300);
    };
    const listen = async () => {
      for await (const _ of admin.modelEvents(left.signal)) soon();
    };
    listen().catch(() => {});
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [admin, reload]);
}

interface AskProps extends Asking {
  readonly admin: AdminApi;
  act(work: () => Promise<unknown>): void;
  onClose(): void;
}

function Ask({ kind, model: { id }, admin, act, onClose }: AskProps) {
  const work = () => (kind === 'unload' ? admin.unloadModel(id) : admin.removeModel(id));
  return (
    <Confirm
      title={kind === 'unload' ? `Unload ${id}?` : `Remove ${id}?`}
      confirm={kind === 'unload' ? 'Unload' : 'Remove'}
      act={async () => act(work)}
      onClose={onClose}
    >
      <p>
        {kind === 'unload'
          ? 'Its memory is given back when the requests that it answers have ended.'
          : 'Clients cannot ask for it any more. Its file stays.'}
      </p>
    </Confirm>
  );
}

const columns: readonly Column<Model>[] = [
  { title: 'Model', cell: ({ id, aliases }) => <Name id={id} aliases={aliases ?? []} /> },
  { title: 'State', cell: model => <State {...model} /> },
  { title: 'Device', cell: ({ device }) => device ?? '' },
  { title: 'Memory', number: true, cell: ({ memory_bytes }) => bytes(memory_bytes) },
  { title: 'On a GPU', number: true, cell: ({ gpu_memory_bytes }) => bytes(gpu_memory_bytes || null) },
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
  const share = progress && progress.total > 0 ? progress.loaded / progress.total : undefined;
  return (
    <>
      <Badge tone={tones[state]}>{state}</Badge>{' '}
      {state === 'loading' && share !== undefined && (
        <Meter name={`Loading ${id}`} share={share} text={percent(share)} />
      )}
      {why && <p class="why">{why}</p>}
    </>
  );
}
