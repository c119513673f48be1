import type { LoadedModel } from '../../llm/load.ts';
import type { ServedAdapter } from '../adapters.ts';
import type { AppContext, Route } from '../route.ts';
import { baseModel } from '../services.ts';

/** Models and, as vLLM lists them, the adapters that the tenant may name instead. */
export const modelsRoute: Route = {
  method: 'GET',
  path: '/v1/models',
  summary: 'Models and adapters',
  handle(context) {
    const { services, tenant } = context.var;
    const adapters = services.adapters.visible(tenant).map(adapter => describeAdapter(context, adapter));
    return context.json({ object: 'list', data: [...services.models.map(describe), ...adapters] });
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
    if (adapter) return context.json(describeAdapter(context, adapter));
    return context.json(describe(services.models[baseModel(services, id, tenant)]));
  },
};

/** OpenAI's model object, with what a client of a local model wants to know beside it. */
function describe({ id, created, engine }: LoadedModel): object {
  const { architecture, context, trainedContext, vocabSize, fileSize } = engine.info;
  const meta = { architecture, context, trained_context: trainedContext, vocab_size: vocabSize, size: fileSize };
  return { id, object: 'model', created, owned_by: 'realm', meta };
}

function describeAdapter(context: AppContext, { id, created, modelId }: ServedAdapter): object {
  return { id, object: 'model', created, owned_by: 'realm', parent: context.var.services.models[modelId].id };
}
