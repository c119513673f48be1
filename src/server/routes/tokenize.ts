import { readBody } from '../body.ts';
import { jsonResponse, type Route } from '../route.ts';
import { takeModel } from '../services.ts';

export const tokenizeRoute: Route = {
  method: 'POST',
  path: '/tokenize',
  summary: 'The tokens of a text',
  body: 'tokenize',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const request = await readBody(context, 'tokenize');
    const { model } = await takeModel(services, exchange, tenant, request.model);
    const call = { owner: tenant, model, signal: exchange.signal };
    return jsonResponse(context, await services.text.run('tokenizeAnswer', call, request));
  },
};
