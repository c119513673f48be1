import { mayUseModel } from '../../tenancy/tenants.ts';
import type { ServedAdapter } from '../adapters.ts';
import type { ModelSlot } from '../model-slot.ts';
import { pipelinePrefix, type ServedPipeline } from '../pipelines/book.ts';
import type { AppContext, Route } from '../route.ts';
import { baseModel, type Services } from '../services.ts';

/** Models, loaded or not, and, as vLLM lists them, the adapters that the tenant may name instead; pipelines too. */
export const modelsRoute: Route = {
  method: 'GET',
  path: '/v1/models',
  summary: 'Models and adapters',
  handle(context) {
    const { services, tenant } = context.var;
    const adapters = services.adapters.visible(tenant).map(adapter => describeAdapter(services, adapter));
    const models = services.models.all.filter(({ id }) => mayUseModel(tenant, id));
    const data = [...models.map(describe), ...adapters];
    if (asksAnthropic(context)) return context.json(anthropicList(data));
    const pipelines = services.pipelines.visible(tenant).map(describePipeline);
    return context.json({ object: 'list', data: [...data, ...pipelines] });
  },
};

export const modelRoute: Route = {
  method: 'GET',
  path: '/v1/models/:id{.+}',
  summary: 'A model or an adapter',
  handle(context) {
    const { services, tenant } = context.var;
    const id = context.req.param('id');
    if (id?.startsWith(pipelinePrefix)) {
      const served = services.pipelines.find(tenant, id.slice(pipelinePrefix.length));
      return context.json(describePipeline(served));
    }
    const adapter = services.adapters.find(id, tenant);
    const found = adapter ? describeAdapter(services, adapter) : describe(baseModel(services, id, tenant));
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
function describe({ id, created, state, remembered, settings: { aliases } }: ModelSlot): ModelObject {
  const model = { id, object: 'model', created, owned_by: 'realm', state, ...(aliases.length > 0 && { aliases }) };
  // Of one that was never loaded nobody knows.
  if (!remembered) return model;
  const { architecture, context, trainedContext, vocabSize, fileSize } = remembered.info;
  const meta = { architecture, context, trained_context: trainedContext, vocab_size: vocabSize, size: fileSize };
  return { ...model, meta };
}

function describePipeline({ pipeline, created }: ServedPipeline): ModelObject {
  return { id: pipelinePrefix + pipeline.name, object: 'model', created, owned_by: 'pipeline' };
}

function describeAdapter({ models }: Services, { id, created, modelId }: ServedAdapter): ModelObject {
  return { id, object: 'model', created, owned_by: 'realm', parent: models.at(modelId)?.id };
}
