import { RealmError } from '../../errors.ts';
import { readBody } from '../body.ts';
import { embedTexts } from '../embed-texts.ts';
import { jsonResponse, type Route } from '../route.ts';
import type { HeldModel } from '../services.ts';

/** Embeddings as OpenAI gives them; the tenant's program, which is for answers, has no part in them. */
export const embeddingsRoute: Route = {
  method: 'POST',
  path: '/v1/embeddings',
  summary: 'Embeddings of texts or tokens',
  body: 'embeddings',
  inference: true,
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model: wanted, inputs, dimensions, base64 } = await readBody(context, 'embeddings');
    const check = (named: HeldModel) => checkDimensions(dimensions, named.model.engine.info.width);
    const { name, model, embeddings } = await embedTexts(context, wanted, inputs, { check });
    const call = { owner: tenant, model, signal: exchange.signal };
    const answer = {
      values: embeddings.map(({ values }) => values),
      base64,
      model: name,
      promptTokens: exchange.usage().promptTokens,
    };
    return jsonResponse(context, await services.text.run('embeddingsAnswer', call, answer));
  },
};

/** A model's width, or nothing. */
export function checkDimensions(dimensions: number | undefined, width: number): void {
  if (dimensions === undefined || dimensions === width) return;
  const message = `dimensions: must be ${width} or left out: the model was not made for shorter embeddings`;
  throw new RealmError('invalid_request', message, { param: 'dimensions' });
}
