import type { RealmError } from '../../errors.ts';
import { readBody } from '../body.ts';
import { reportError } from '../errors.ts';
import { pipelinePrefix, type ServedPipeline } from '../pipelines/book.ts';
import { beginRun } from '../pipelines/run.ts';
import { runAnswer, runBody, runSummary, runWriter } from '../pipelines/writer.ts';
import type { Route } from '../route.ts';
import { streamResponse } from '../sse.ts';

const pipelinesRoute: Route = {
  method: 'GET',
  path: '/v1/pipelines',
  summary: 'Pipelines that the tenant may run',
  handle(context) {
    const { services, tenant } = context.var;
    return context.json({ object: 'list', data: services.pipelines.visible(tenant).map(describe) });
  },
};

const runPipelineRoute: Route = {
  method: 'POST',
  path: '/v1/pipelines/:name',
  summary: 'The output of a pipeline',
  body: 'runPipeline',
  inference: true,
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const served = services.pipelines.find(tenant, context.req.param('name') ?? '');
    const { input, stream = false } = await readBody(context, 'runPipeline');
    const { trace, events } = beginRun(services, exchange, { tenant, served, input });
    if (stream) {
      const report = (error: RealmError) => reportError(services, exchange, error);
      return streamResponse(exchange, events, runWriter(trace, exchange.id), report, services.http.heartbeatMs);
    }
    let output: unknown;
    for await (const event of events) if (event.kind === 'output') output = event.output;
    return context.json(runAnswer(trace, output));
  },
};

const runsRoute: Route = {
  method: 'GET',
  path: '/v1/pipelines/runs',
  summary: "The tenant's last runs of pipelines",
  handle(context) {
    const { services, tenant } = context.var;
    return context.json({ object: 'list', data: services.pipelines.runs.list(tenant.id).map(runSummary) });
  },
};

const runRoute: Route = {
  method: 'GET',
  path: '/v1/pipelines/runs/:id',
  summary: 'What happened in a run of a pipeline',
  handle(context) {
    const { services, tenant } = context.var;
    return context.json(
      runBody(services.pipelines.runs.find(context.req.param('id') ?? '', tenant.id), { outputs: true }),
    );
  },
};

export const pipelineRoutes: readonly Route[] = [pipelinesRoute, runPipelineRoute, runsRoute, runRoute];

function describe({ pipeline: { name, description, input } }: ServedPipeline): object {
  return { id: name, object: 'pipeline', description: description ?? null, input, model: pipelinePrefix + name };
}
