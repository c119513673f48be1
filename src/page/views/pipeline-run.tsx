import { useCallback } from 'preact/hooks';
import type { PipelineRun, PipelineStep } from '../api/types.ts';
import { ago, count, milliseconds } from '../format.ts';
import { linkTo } from '../route.ts';
import { useAdmin } from '../session.ts';
import { type Column, Table } from '../ui/table.tsx';
import { View } from '../ui/view.tsx';
import { useLoad } from '../use-load.ts';
import { RunBadge } from './pipelines.tsx';

const everyMs = 1000;

/** One run: its steps in the order in which they began, each where it lies in the run's time. */
export function PipelineRunView({ id }: { readonly id: string }) {
  const admin = useAdmin();
  const load = useCallback((signal: AbortSignal) => admin.pipelineRun(id, signal), [admin, id]);
  const { data: run, error } = useLoad(load, everyMs);
  return (
    <View title={id} error={error}>
      <p>
        <a href={linkTo('pipelines')}>All runs</a>
      </p>
      {run && (
        <p>
          <RunBadge state={run.state} /> {run.pipeline} of {run.tenant ?? '–'}, {ago(run.created_at)},{' '}
          {milliseconds(run.ms)}
        </p>
      )}
      {run?.error && <p class="why">{`${run.error.code}: ${run.error.message}`}</p>}
      {run && (
        <Table
          name="Steps"
          columns={columnsOf(run)}
          rows={run.steps}
          empty="No step has begun."
          keyOf={({ step }) => step}
        />
      )}
      {(run?.steps_left_out ?? 0) > 0 && <p>{count(run?.steps_left_out)} more steps are not shown.</p>}
    </View>
  );
}

function columnsOf({ ms, steps = [] }: PipelineRun): readonly Column<PipelineStep>[] {
  const whole = ms ?? Math.max(1, ...steps.map(({ at_ms, ms: own }) => at_ms + (own ?? 0)));
  return [
    { title: 'Step', cell: ({ step }) => <code>{step}</code> },
    { title: 'State', cell: ({ state }) => <RunBadge state={state} /> },
    { title: 'Kind', cell: ({ kind }) => kind },
    { title: 'Of', cell: ({ target }) => target ?? '–' },
    { title: 'When', cell: step => <Bar of={step} whole={whole} /> },
    { title: 'Took', number: true, cell: ({ ms: own }) => milliseconds(own) },
    { title: 'Retries', number: true, cell: ({ retries }) => count(retries) },
    { title: 'Prompt', number: true, cell: ({ usage }) => count(usage?.prompt_tokens) },
    { title: 'Answer', number: true, cell: ({ usage }) => count(usage?.completion_tokens) },
    { title: 'Error', cell: ({ error }) => (error ? <span title={error.message}>{error.code}</span> : '–') },
  ];
}

/** A step in the time of the whole run; an attribute, since the page's policy allows no styles in it. */
function Bar({ of: { step, at_ms, ms, state }, whole }: { readonly of: PipelineStep; readonly whole: number }) {
  const begin = Math.min(100, (100 * at_ms) / whole);
  const width = Math.max(0.5, ms === null ? 100 - begin : Math.min(100 - begin, (100 * ms) / whole));
  return (
    <svg
      class="bar"
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${step} began after ${milliseconds(at_ms)}`}
    >
      <rect class={state} x={Math.min(begin, 99.5)} y="1" width={width} height="8" />
    </svg>
  );
}
