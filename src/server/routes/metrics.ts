import { RealmError } from '../../errors.ts';
import type { ModelSample } from '../../telemetry/metrics.ts';
import { isLocalRequest } from '../local.ts';
import type { MeteredModel } from '../metered-model.ts';
import type { AppContext, Route } from '../route.ts';

/**
 * Prometheus' text format. The figures of all tenants together tell each of them about the others: where there are tenants they are
 * for the operator, whoever else has a shell on this machine, and elsewhere for programs on this machine.
 */
export const metricsRoute: Route = {
  method: 'GET',
  path: '/metrics',
  summary: 'Figures for Prometheus',
  open: true,
  async handle(context) {
    const { metrics, models, sandbox, state } = context.var.services;
    checkReader(context);
    const samples = await Promise.all(models.ready.map(sample));
    // Who reads them is no load.
    const page = await metrics.page(samples.flat(), sandbox.stats(), state.open.size - 1);
    return context.body(page, 200, { 'content-type': metrics.contentType });
  },
};

function checkReader(context: AppContext): void {
  const { metricsFor, localOnly, authorizeAdmin } = context.var.services;
  const remoteAddress = context.env?.remoteAddress;
  if (metricsFor === 'public') return;
  if (!localOnly) return void authorizeAdmin(context.req.header('authorization'), { remoteAddress });
  if (isLocalRequest(remoteAddress, context.req.raw)) return;
  throw new RealmError(
    'route_not_found',
    'Metrics are for programs on this machine; server.metrics: public opens them',
  );
}

/** An engine that cannot answer is left out; its requests say what is wrong with it. */
async function sample({ id, engine }: MeteredModel): Promise<ModelSample[]> {
  const stats = await engine.stats().catch(() => undefined);
  return stats === undefined ? [] : [{ ...stats, model: id }];
}
