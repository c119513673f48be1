import type { EngineUsage } from '../../engine/request.ts';
import type { RealmError } from '../../errors.ts';
import { errorBody } from '../errors.ts';
import { type StreamWriter, sse } from '../sse.ts';
import type { RunEvent } from './run.ts';
import type { RunTrace, StepTrace } from './trace.ts';

/** Answers of `POST /v1/pipelines/{name}`. */

/** The answer in one piece, and the last event of a stream. */
export function runAnswer(trace: RunTrace, output: unknown): object {
  return {
    id: trace.id,
    object: 'pipeline.run',
    pipeline: trace.pipeline,
    output: output ?? null,
    usage: usageBody(trace.usage),
    steps: trace.steps.map(stepBody),
  };
}

/** A run as events, each named by its type: `run`, `step` and `token`, then `result` or `error`. */
export function runWriter(trace: RunTrace, requestId: string): StreamWriter<RunEvent> {
  let output: unknown;
  return {
    ...sse,
    begin: () => frame('run', { id: trace.id, pipeline: trace.pipeline }),
    of(event) {
      if (event.kind === 'output') {
        output = event.output;
        return '';
      }
      const { step, id, items, at } = event;
      const which = { step, id, ...(items.length > 0 && { items }) };
      if (event.kind === 'text') return frame('token', { ...which, text: event.text });
      return frame('step', { ...which, state: event.kind, at_ms: Math.round(at), ...said(event) });
    },
    end: () => frame('result', runAnswer(trace, output)),
    failed: (error: RealmError) => frame('error', errorBody(error, requestId)),
  };
}

const frame = (type: string, data: object): string => sse.frame({ type, ...data }, type);

type StepEvent = Exclude<RunEvent, { kind: 'output' | 'text' }>;

function said(event: StepEvent): object {
  switch (event.kind) {
    case 'finished':
      return { output: event.output ?? null };
    case 'retried':
      return {
        attempt: event.attempt,
        delay_ms: event.delayMs,
        error: { code: event.code, message: event.message },
      };
    case 'failed':
      return { caught: event.caught, error: { code: event.code, message: event.message } };
    default:
      return {};
  }
}

/** A run as it is kept; with what its steps gave only for whose it is. */
export function runBody(run: RunTrace, { outputs }: { outputs: boolean }): object {
  const steps = run.steps.map(step => ({ ...stepBody(step), ...(outputs && { output: step.output ?? null }) }));
  return { ...runSummary(run), steps, steps_left_out: run.leftOut };
}

export function runSummary({ id, tenant, pipeline, state, began, ms, usage, error, steps }: RunTrace): object {
  return {
    id,
    object: 'pipeline.run',
    pipeline,
    tenant,
    state,
    created_at: new Date(began).toISOString(),
    ms: ms ?? null,
    usage: usageBody(usage),
    error: error ?? null,
    step_count: steps.length,
  };
}

function stepBody({ step, kind, target, state, at, ms, retries, usage, error }: StepTrace): object {
  return {
    step,
    kind,
    target: target ?? null,
    state,
    at_ms: at,
    ms: ms ?? null,
    retries,
    usage: usageBody(usage),
    error: error ?? null,
  };
}

function usageBody({ promptTokens, cachedTokens, completionTokens }: EngineUsage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
