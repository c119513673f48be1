import type { PipelineRun, RunState } from '../api/types.ts';
import { ago, count, milliseconds } from '../format.ts';
import { linkTo } from '../route.ts';
import { useAdmin } from '../session.ts';
import { Badge } from '../ui/badge.tsx';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useLoad } from '../use-load.ts';

const everyMs = 2000;

/** The last runs of pipelines, of all tenants. */
export function Pipelines() {
  const admin = useAdmin();
  const { data, error } = useLoad(admin.pipelineRuns, everyMs);
  return (
    <View title="Pipelines" error={error}>
      <Table
        name="Runs of pipelines"
        columns={columns}
        rows={data}
        empty="No pipeline has run in the last hour."
        keyOf={({ id }) => id}
      />
    </View>
  );
}

const columns: readonly Column<PipelineRun>[] = [
  {
    title: 'Run',
    cell: ({ id }) => (
      <a href={linkTo('pipelines', id)}>
        <code>{id}</code>
      </a>
    ),
  },
  { title: 'State', cell: ({ state }) => <RunBadge state={state} /> },
  { title: 'Pipeline', cell: ({ pipeline }) => pipeline },
  { title: 'Tenant', cell: ({ tenant }) => tenant ?? '–' },
  { title: 'Began', cell: ({ created_at }) => ago(created_at) },
  { title: 'Took', number: true, cell: ({ ms }) => milliseconds(ms) },
  { title: 'Prompt', number: true, cell: ({ usage }) => count(usage?.prompt_tokens) },
  { title: 'Answer', number: true, cell: ({ usage }) => count(usage?.completion_tokens) },
  { title: 'Error', cell: ({ error }) => error?.code ?? '–' },
];

const tones = { running: 'busy', complete: 'good', skipped: 'plain', failed: 'bad', cancelled: 'plain' } as const;

/** The state of a run or a step. */
export function RunBadge({ state }: { readonly state: RunState }) {
  return <Badge tone={tones[state] ?? 'plain'}>{state}</Badge>;
}
