import { readBody } from '../body.ts';
import { jsonResponse, type Route } from '../route.ts';
import { takeModel } from '../services.ts';

export const detokenizeRoute: Route = {
  method: 'POST',
  path: '/detokenize',
  summary: 'The text of tokens',
  body: 'detokenize',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model: name, tokens } = await readBody(context, 'detokenize');
    const { model } = await takeModel(services, exchange, tenant, name);
    const call = { owner: tenant, model, signal: exchange.signal };
    return jsonResponse(context, await services.text.run('detokenizeAnswer', call, tokens));
  },
};
