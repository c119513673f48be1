import type { OpenRequest } from '../api/types.ts';
import { ago, count } from '../format.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { Notice } from '../ui/notice.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useAction } from '../use-action.ts';
import { useLoad } from '../use-load.ts';

const everyMs = 2000;

/** Who waits for what, with a button that ends it. */
export function Requests() {
  const admin = useAdmin();
  const { data, error, reload } = useLoad(admin.requests, everyMs);
  const action = useAction();
  const cancel = {
    title: 'Actions',
    cell: ({ id }: OpenRequest) => (
      <button
        type="button"
        class="danger"
        disabled={action.busy}
        aria-label={`Cancel ${id}`}
        onClick={() => action.run(() => admin.cancelRequest(id).finally(reload))}
      >
        Cancel
      </button>
    ),
  };
  return (
    <View title="Requests" error={error}>
      <Notice error={action.error} />
      <Table
        name="Requests that are being answered"
        columns={[...columns, cancel]}
        rows={data}
        empty="Nothing is being answered."
        keyOf={({ id }) => id}
      />
    </View>
  );
}

const columns: readonly Column<OpenRequest>[] = [
  { title: 'Request', cell: ({ id }) => <code>{id}</code> },
  {
    title: 'State',
    cell: ({ state = 'running' }) => <Badge tone={state === 'running' ? 'good' : 'busy'}>{state}</Badge>,
  },
  { title: 'Tenant', cell: ({ tenant }) => tenant ?? '–' },
  { title: 'Key', cell: ({ key_id }) => (key_id ? <code>{key_id}</code> : '–') },
  { title: 'Model', cell: ({ model }) => model ?? '–' },
  { title: 'Path', cell: ({ path }) => path ?? '–' },
  { title: 'Began', cell: ({ created_at }) => ago(created_at) },
  { title: 'Prompt', number: true, cell: ({ prompt_tokens }) => count(prompt_tokens) },
  { title: 'Answer', number: true, cell: ({ completion_tokens }) => count(completion_tokens) },
];
