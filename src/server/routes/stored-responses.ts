import { RealmError } from '../../errors.ts';
import { check, issueText } from '../../tenancy/issues.ts';
import { notFound } from '../responses/book.ts';
import { type ItemPage, itemPageSchema } from '../responses/item-page.ts';
import { type AppContext, jsonResponse, type Route } from '../route.ts';

/** The tenant's responses: those that are being made, and those that were stored. */

const idOf = (context: AppContext) => context.req.param('id') ?? '';

export const responseRoute: Route = {
  method: 'GET',
  path: '/v1/responses/:id',
  summary: 'A response that is being made or was kept',
  async handle(context) {
    const { responses } = context.var.services;
    const id = idOf(context);
    if (context.req.query('stream') === 'true') {
      const message = 'stream: is not supported for a stored response; leave it out';
      throw new RealmError('invalid_request', message, { param: 'stream' });
    }
    const running = responses.running(context.var.tenant.id, id);
    if (running !== undefined) return json(context, running.writer.response());
    return json(context, (await responses.stored(context.var.tenant.id, id)).response);
  },
};

export const deleteResponseRoute: Route = {
  method: 'DELETE',
  path: '/v1/responses/:id',
  summary: 'Keeps a response no longer',
  async handle(context) {
    const { services, tenant } = context.var;
    const id = idOf(context);
    if (!(await services.responses.store.remove(tenant.id, id))) throw notFound();
    return context.json({ id, object: 'response', deleted: true });
  },
};

/** One that has ended stays what it is. */
export const cancelResponseRoute: Route = {
  method: 'POST',
  path: '/v1/responses/:id/cancel',
  summary: 'Ends a response that is being made',
  async handle(context) {
    const { responses } = context.var.services;
    const running = responses.running(context.var.tenant.id, idOf(context));
    if (running === undefined)
      return json(context, (await responses.stored(context.var.tenant.id, idOf(context))).response);
    running.exchange.cancel(new RealmError('request_cancelled', 'The response was cancelled through the API'));
    return json(context, running.writer.response('cancelled'));
  },
};

export const inputItemsRoute: Route = {
  method: 'GET',
  path: '/v1/responses/:id/input_items',
  summary: 'The items of a kept request',
  async handle(context) {
    const { services, tenant, exchange } = context.var;
    const { input } = await services.responses.stored(tenant.id, idOf(context));
    const call = { owner: tenant, signal: exchange.signal };
    return jsonResponse(context, await services.text.run('inputItems', call, { input, page: pageOf(context) }));
  },
};

function pageOf(context: AppContext): ItemPage {
  const page = check(itemPageSchema, context.req.query());
  if ('value' in page) return page.value;
  throw new RealmError('invalid_request', page.issues.map(issueText).join('; '), { param: page.issues[0]?.path });
}

const json = (context: AppContext, text: string) => context.body(text, 200, { 'content-type': 'application/json' });
