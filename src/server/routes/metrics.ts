import { RealmError } from '../../errors.ts';
import type { ModelSample } from '../../telemetry/metrics.ts';
import { isLocalRequest } from '../local.ts';
import type { Route } from '../route.ts';
import type { LoadedModel } from '../services.ts';

/** Prometheus' text format. The figures of all tenants together tell each of them about the others: local readers only by default. */
export const metricsRoute: Route = {
  method: 'GET',
  path: '/metrics',
  open: true,
  async handle(context) {
    const { metricsFor, metrics, models, state } = context.var.services;
    if (metricsFor === 'local' && !isLocalRequest(context.env?.remoteAddress, context.req.raw)) {
      throw new RealmError(
        'route_not_found',
        'Metrics are for programs on this machine; server.metrics: public opens them',
      );
    }
    const samples = await Promise.all(models.map(sample));
    // Who reads them is no load.
    const page = await metrics.page(samples.flat(), state.open.size - 1);
    return context.body(page, 200, { 'content-type': metrics.contentType });
  },
};

/** An engine that cannot answer is left out; its requests say what is wrong with it. */
async function sample({ id, engine }: LoadedModel): Promise<ModelSample[]> {
  const stats = await engine.stats().catch(() => undefined);
  return stats === undefined ? [] : [{ ...stats, model: id, memory: { ...stats.memory } }];
}
