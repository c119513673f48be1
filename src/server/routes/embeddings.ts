import { RealmError } from '../../errors.ts';
import { readBody } from '../body.ts';
import { embedAll } from '../embed-all.ts';
import { jsonResponse, type Route } from '../route.ts';
import { findModel } from '../services.ts';

/** Embeddings as OpenAI gives them; the tenant's program, which is for answers, has no part in them. */
export const embeddingsRoute: Route = {
  method: 'POST',
  path: '/v1/embeddings',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model: name, inputs, dimensions, base64 } = await readBody(context, 'embeddings');
    const named = findModel(services, tenant, name);
    const { model } = named;
    exchange.model = model.id;
    const { width, context: length } = model.engine.info;
    checkDimensions(dimensions, width);
    const call = { owner: tenant, model, signal: exchange.signal };
    const texts = await services.text.run('inputs', call, {
      inputs,
      context: length,
      parseSpecial: tenant.parseSpecial,
    });
    const embeddings = await embedAll(exchange, tenant, named, texts);
    const answer = {
      values: embeddings.map(({ values }) => values),
      base64,
      model: named.name,
      promptTokens: exchange.usage().promptTokens,
    };
    return jsonResponse(context, await services.text.run('embeddingsAnswer', call, answer));
  },
};

function checkDimensions(dimensions: number | undefined, width: number): void {
  if (dimensions === undefined || dimensions === width) return;
  const message = `dimensions: must be ${width} or left out: the model was not made for shorter embeddings`;
  throw new RealmError('invalid_request', message, { param: 'dimensions' });
}
