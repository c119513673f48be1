import { mayUseModel } from '../../tenancy/tenants.ts';
import type { ServedAdapter } from '../adapters.ts';
import type { MeteredModel } from '../metered-model.ts';
import type { AppContext, Route } from '../route.ts';
import { baseModel } from '../services.ts';

/** Models and, as vLLM lists them, the adapters that the tenant may name instead. */
export const modelsRoute: Route = {
  method: 'GET',
  path: '/v1/models',
  summary: 'Models and adapters',
  handle(context) {
    const { services, tenant } = context.var;
    const adapters = services.adapters.visible(tenant).map(describeAdapter);
    const models = services.models.filter(({ id }) => mayUseModel(tenant, id));
    const data = [...models.map(describe), ...adapters];
    return context.json(asksAnthropic(context) ? anthropicList(data) : { object: 'list', data });
  },
};

export const modelRoute: Route = {
  method: 'GET',
  path: '/v1/models/:id{.+}',
  summary: 'A model or an adapter',
  handle(context) {
    const { services, tenant } = context.var;
    const id = context.req.param('id');
    const adapter = services.adapters.find(id, tenant);
    const found = adapter ? describeAdapter(adapter) : describe(baseModel(services, id, tenant).model);
    return context.json(asksAnthropic(context) ? anthropicModel(found) : found);
  },
};

interface ModelObject {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly [field: string]: unknown;
}

/** Anthropic's clients have the same paths for shapes of their own. */
const asksAnthropic = (context: AppContext) => context.req.header('anthropic-version') !== undefined;

function anthropicModel({ id, created }: ModelObject) {
  return { type: 'model', id, display_name: id, created_at: new Date(created * 1000).toISOString() };
}

function anthropicList(models: readonly ModelObject[]): object {
  const data = models.map(anthropicModel);
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

/** OpenAI's model object, with what a client of a local model wants to know beside it. */
function describe({ id, created, engine }: MeteredModel): ModelObject {
  const { architecture, context, trainedContext, vocabSize, fileSize } = engine.info;
  const meta = { architecture, context, trained_context: trainedContext, vocab_size: vocabSize, size: fileSize };
  return { id, object: 'model', created, owned_by: 'realm', meta };
}

function describeAdapter({ id, created, model }: ServedAdapter): ModelObject {
  return { id, object: 'model', created, owned_by: 'realm', parent: model.id };
}
