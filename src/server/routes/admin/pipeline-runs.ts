import { runBody, runSummary } from '../../pipelines/writer.ts';
import type { Route } from '../../route.ts';

/** The last runs of all tenants. What steps gave is the tenants' own, and is not told. */
const runsRoute: Route = {
  method: 'GET',
  path: '/admin/v1/pipelines/runs',
  summary: 'The last runs of pipelines of all tenants',
  query: { tenant: 'Only of this tenant' },
  admin: true,
  handle(context) {
    const { pipelines } = context.var.services;
    return context.json({ data: pipelines.runs.list(context.req.query('tenant')).map(runSummary) });
  },
};

const runRoute: Route = {
  method: 'GET',
  path: '/admin/v1/pipelines/runs/:id',
  summary: 'What happened in a run of a pipeline',
  admin: true,
  handle(context) {
    const { pipelines } = context.var.services;
    return context.json(runBody(pipelines.runs.find(context.req.param('id') ?? ''), { outputs: false }));
  },
};

export const pipelineRunRoutes: readonly Route[] = [runsRoute, runRoute];
