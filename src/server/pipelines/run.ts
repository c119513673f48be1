import { asRealmError, RealmError } from '../../errors.ts';
import { runPipeline } from '../../pipelines/run.ts';
import type { PipelineEvent } from '../../pipelines/types.ts';
import { Channel } from '../../sandbox/channel.ts';
import type { Tenant } from '../../tenancy/tenants.ts';
import type { Asking } from '../exchange.ts';
import type { Services } from '../services.ts';
import { pipelinePrefix, type ServedPipeline } from './book.ts';
import { ServerPipelineHost } from './host.ts';
import { RunTrace } from './trace.ts';

/** What happens in a run; the last is its output. */
export type RunEvent = PipelineEvent | { readonly kind: 'output'; readonly output: unknown };

export interface Run {
  readonly trace: RunTrace;
  /** Leaving early ends the run. Throws what the run failed with. */
  readonly events: AsyncGenerator<RunEvent>;
}

interface RunCall {
  readonly tenant: Tenant;
  readonly served: ServedPipeline;
  readonly input: unknown;
  /** Pipelines that this one was called by, as their tool. */
  readonly depth?: number;
}

/** Events that nobody has read; then the run waits for its reader. */
const mostUnread = 64;

/** Runs a pipeline as a part of a request, for as long as its tenant's requests may take. */
export function beginRun(services: Services, exchange: Asking, call: RunCall): Run {
  const { tenant, served } = call;
  const trace = new RunTrace({ id: exchange.id.replace('req_', 'run_'), tenant: tenant.id }, served.pipeline);
  exchange.usage = () => trace.usage;
  exchange.model = pipelinePrefix + served.pipeline.name;
  return { trace, events: eventsOf(services, exchange, call, trace) };
}

async function* eventsOf(
  services: Services,
  exchange: Asking,
  { tenant, served, input, depth = 0 }: RunCall,
  trace: RunTrace,
): AsyncGenerator<RunEvent> {
  const left = new AbortController();
  const late = AbortSignal.timeout(tenant.deadlineMs);
  const signal = AbortSignal.any([exchange.signal, late, left.signal]);
  const events = new Channel<RunEvent>(mostUnread);
  let room: Promise<void> | undefined;
  const onEvent = (event: PipelineEvent) => {
    trace.note(event);
    if (event.kind === 'text') exchange.token();
    events.push(event);
    if (events.hasRoom) return undefined;
    // All steps wait for the same reader.
    room ??= events.room().finally(() => {
      room = undefined;
    });
    return room;
  };
  const charge: RunTrace['charge'] = (step, usage) => trace.charge(step, usage);
  const host = new ServerPipelineHost({ services, exchange, tenant, served, charge });
  const ended = services.pipelines.runs.begin(trace);
  const running = runPipeline(served.pipeline, input, host, { signal, onEvent, depth }).then(
    output => {
      events.push({ kind: 'output', output });
      events.close();
      trace.end();
    },
    thrown => {
      const error = failureOf(thrown, { exchange, late, tenant });
      trace.end(error);
      events.fail(error);
    },
  );
  try {
    for (let event = await events.take(); event !== undefined; event = await events.take()) yield event;
  } finally {
    left.abort(new RealmError('request_cancelled', 'Nobody waits for the run any more'));
    events.close();
    await running;
    ended();
  }
}

/** Those of a step's failures that say when to come again, or that nobody should: the run fails with them as a request would. */
const passedOn = new Set(['insufficient_quota', 'rate_limit_exceeded', 'queue_full', 'shutting_down']);

function failureOf(
  thrown: unknown,
  { exchange, late, tenant }: { exchange: Asking; late: AbortSignal; tenant: Tenant },
): unknown {
  if (exchange.signal.aborted) return exchange.signal.reason;
  if (late.aborted) return new RealmError('deadline_exceeded', `The pipeline took longer than ${tenant.deadlineMs} ms`);
  const error = asRealmError(thrown);
  const { cause, param } = error;
  if (error.code !== 'pipeline_failed' || !(cause instanceof RealmError) || !passedOn.has(cause.code)) return error;
  const { retryAfter, headers } = cause;
  return new RealmError(cause.code, error.message, { param, retryAfter, headers, cause });
}
