import { RealmError } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { AppContext, Route } from '../route.ts';

/** The tenant's requests that are being answered or wait, but for the one that asks. */
export const requestsRoute: Route = {
  method: 'GET',
  path: '/v1/requests',
  summary: 'Requests that are being answered',
  handle(context) {
    return context.json({ object: 'list', data: others(context).map(describe) });
  },
};

/** Ends requests of the tenant by Realm's id or by what the client called them, wherever they are. */
export const cancelRequestRoute: Route = {
  method: 'DELETE',
  path: '/v1/requests/:id',
  summary: "Ends requests by Realm's id or the client's",
  handle(context) {
    const id = context.req.param('id') ?? '';
    const found = others(context).filter(exchange => exchange.id === id || exchange.clientId === id);
    if (found.length === 0) {
      const message = 'No request of that id, or with that x-client-request-id, is being answered: it may have ended';
      throw new RealmError('request_not_found', message);
    }
    const reason = new RealmError('request_cancelled', 'The request was cancelled through the API');
    for (const exchange of found) exchange.cancel(reason);
    return context.json({ object: 'list', data: found.map(each => ({ ...describe(each), cancelled: true })) });
  },
};

function others({ var: { services, exchange, tenant } }: AppContext): Exchange[] {
  return [...services.state.open].filter(each => each !== exchange && each.tenant === tenant.id);
}

function describe({ id, clientId, path, model, created, usage }: Exchange) {
  const { promptTokens, completionTokens } = usage();
  const tokens = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
  return { id, object: 'request', client_request_id: clientId ?? null, path, model: model ?? null, created, ...tokens };
}
