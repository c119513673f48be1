import { readBody } from '../body.ts';
import { jsonResponse, type Route } from '../route.ts';
import { takeModel } from '../services.ts';

/** The text that a chat request with these messages would give to the model, and where it is not the template's own. */
export const applyTemplateRoute: Route = {
  method: 'POST',
  path: '/apply-template',
  summary: 'The text that a chat is for the model',
  body: 'applyTemplate',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model: name, document } = await readBody(context, 'applyTemplate');
    const { model } = await takeModel(services, exchange, tenant, name);
    const call = { owner: tenant, model, signal: exchange.signal };
    const { parseSpecial } = tenant;
    return jsonResponse(context, await services.text.run('templateAnswer', call, { document, parseSpecial }));
  },
};
