import type { LoadedModel } from '../../llm/load.ts';
import type { ServedAdapter } from '../adapters.ts';
import type { Route } from '../route.ts';
import { baseModel } from '../services.ts';

/** Models and, as vLLM lists them, the adapters that the tenant may name instead. */
export const modelsRoute: Route = {
  method: 'GET',
  path: '/v1/models',
  handle(context) {
    const { services, tenant } = context.var;
    const adapters = services.adapters.visible(tenant).map(describeAdapter);
    return context.json({ object: 'list', data: [...services.models.map(describe), ...adapters] });
  },
};

export const modelRoute: Route = {
  method: 'GET',
  path: '/v1/models/:id{.+}',
  handle(context) {
    const { services, tenant } = context.var;
    const id = context.req.param('id');
    const adapter = services.adapters.find(id, tenant);
    if (adapter) return context.json(describeAdapter(adapter));
    return context.json(describe(baseModel(services, id, tenant).model));
  },
};

/** OpenAI's model object, with what a client of a local model wants to know beside it. */
function describe({ id, created, engine }: LoadedModel): object {
  const { architecture, context, trainedContext, vocabSize, fileSize } = engine.info;
  const meta = { architecture, context, trained_context: trainedContext, vocab_size: vocabSize, size: fileSize };
  return { id, object: 'model', created, owned_by: 'realm', meta };
}

function describeAdapter({ id, created, model }: ServedAdapter): object {
  return { id, object: 'model', created, owned_by: 'realm', parent: model.id };
}
