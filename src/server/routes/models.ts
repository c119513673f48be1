import type { Route } from '../route.ts';
import { findModel, type LoadedModel } from '../services.ts';

export const modelsRoute: Route = {
  method: 'GET',
  path: '/v1/models',
  handle: context => context.json({ object: 'list', data: context.var.services.models.map(describe) }),
};

export const modelRoute: Route = {
  method: 'GET',
  path: '/v1/models/:id{.+}',
  handle: context => context.json(describe(findModel(context.var.services, context.req.param('id')).model)),
};

/** OpenAI's model object, with what a client of a local model wants to know beside it. */
function describe({ id, created, engine }: LoadedModel): object {
  const { architecture, context, trainedContext, vocabSize, fileSize } = engine.info;
  const meta = { architecture, context, trained_context: trainedContext, vocab_size: vocabSize, size: fileSize };
  return { id, object: 'model', created, owned_by: 'realm', meta };
}
