import { RealmError } from '../../errors.ts';
import type { ModelSample } from '../../telemetry/metrics.ts';
import { isLocalRequest } from '../local.ts';
import type { MeteredModel } from '../metered-model.ts';
import type { AppContext, Route } from '../route.ts';

/**
 * Prometheus' text format. The figures of all tenants together tell each of them about the others: where there are
 * tenants they are for the operator, and elsewhere for programs on this machine. `metrics: public` opens the totals;
 * figures that name tenants stay the operator's.
 */
export const metricsRoute: Route = {
  method: 'GET',
  path: '/metrics',
  summary: 'Figures for Prometheus',
  open: true,
  async handle(context) {
    const { metrics, models, sandbox, state } = context.var.services;
    const operator = isOperator(context);
    if (!operator) checkReader(context);
    const samples = await Promise.all(models.ready.map(sample));
    // Who reads them is no load.
    const openRequests = state.open.size - 1;
    const server = { models: samples.flat(), programs: sandbox.stats(), openRequests };
    const page = await metrics.page(server, { operator });
    return context.body(page, 200, { 'content-type': metrics.contentType });
  },
};

/** Without tenants whoever asks from this machine, else who has a key for it. */
function isOperator({ env, req, var: { services } }: AppContext): boolean {
  if (services.localOnly) return isLocalRequest(env?.remoteAddress, req.raw);
  try {
    services.authorizeAdmin(req.header('authorization'), { method: 'GET', remoteAddress: env?.remoteAddress });
    return true;
  } catch {
    return false;
  }
}

/** Whoever is not the operator. */
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
  return stats === undefined ? [] : [{ ...stats, model: id, device: engine.info.device }];
}
