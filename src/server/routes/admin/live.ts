import type { EngineStats } from '../../../engine/types.ts';
import type { TenantFigures } from '../../../telemetry/live.ts';
import type { MeteredModel } from '../../metered-model.ts';
import type { Route } from '../../route.ts';
import type { Services } from '../../services.ts';

/** Who waits for what, now: for a page that asks each second. Tenants are those of the last minute. */
export const liveRoute: Route = {
  method: 'GET',
  path: '/admin/v1/live',
  summary: 'What tenants and models do now',
  admin: true,
  quiet: true,
  async handle(context) {
    const { services } = context.var;
    const models = await Promise.all(services.models.ready.map(state));
    const load = new Load(models.flatMap(({ stats }) => stats?.tenants ?? []));
    const known = new Map(services.metrics.live.figures().map(each => [each.id, each]));
    const ids = [...new Set([...known.keys(), ...load.tenants])].sort();
    const tenants = await Promise.all(ids.map(id => describeTenant(services, id, load, known.get(id))));
    return context.json({ tenants, models: models.map(describeModel) });
  },
};

/** Sequences of tenants over all models. */
class Load {
  readonly #loads: NonNullable<EngineStats['tenants']>;

  constructor(loads: NonNullable<EngineStats['tenants']>) {
    this.#loads = loads;
  }

  get tenants(): string[] {
    return this.#loads.map(({ tenant }) => tenant);
  }

  of(tenant: string) {
    const own = this.#loads.filter(load => load.tenant === tenant);
    return {
      running: own.reduce((sum, { running }) => sum + running, 0),
      waiting: own.reduce((sum, { waiting }) => sum + waiting, 0),
    };
  }
}

async function describeTenant({ meter }: Services, id: string, load: Load, figures: TenantFigures | undefined) {
  // Whoever watches sees the rest while the store is away.
  const budgets = await meter.budgetsOf?.(id).catch(() => []);
  return {
    id,
    ...load.of(id),
    share: figures?.share ?? 0,
    tokens_per_second: figures?.tokensPerSecond ?? 0,
    first_token_ms: figures?.firstTokenMs ?? { p50: null, p95: null },
    cached_share: figures?.cachedShare ?? 0,
    budgets: (budgets ?? []).map(({ model = null, ...rest }) => ({ ...rest, model })),
  };
}

interface ModelState {
  readonly id: string;
  readonly stats: EngineStats | undefined;
}

async function state({ id, engine }: MeteredModel): Promise<ModelState> {
  return { id, stats: await engine.stats().catch(() => undefined) };
}

/** One whose engine does not answer has failed. */
function describeModel({ id, stats }: ModelState) {
  if (!stats) return { id, state: 'failed', running: 0, waiting: 0, kv_pages: 0, kv_pages_used: 0, memory_bytes: 0 };
  const { running, waiting, pagesTotal, pagesUsed, memory } = stats;
  const { weights, kvTouched, work, heap = 0 } = memory;
  return {
    id,
    state: 'ready',
    running,
    waiting,
    kv_pages: pagesTotal,
    kv_pages_used: pagesUsed,
    memory_bytes: weights + kvTouched + work + heap,
  };
}
