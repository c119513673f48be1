import { z } from 'zod';
import { RealmError } from '../../errors.ts';
import { check, issueText } from '../../tenancy/issues.ts';
import { notFound } from '../responses/book.ts';
import type { AppContext, Route } from '../route.ts';

/** The tenant's responses: those that are being made, and those that were stored. */

const idOf = (context: AppContext) => context.req.param('id') ?? '';

export const responseRoute: Route = {
  method: 'GET',
  path: '/v1/responses/:id',
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
  async handle(context) {
    const { responses } = context.var.services;
    const running = responses.running(context.var.tenant.id, idOf(context));
    if (running === undefined)
      return json(context, (await responses.stored(context.var.tenant.id, idOf(context))).response);
    running.exchange.cancel(new RealmError('request_cancelled', 'The response was cancelled through the API'));
    return json(context, running.writer.response('cancelled'));
  },
};

const pageSchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().optional(),
});

export const inputItemsRoute: Route = {
  method: 'GET',
  path: '/v1/responses/:id/input_items',
  async handle(context) {
    const { services, tenant } = context.var;
    const { input } = await services.responses.stored(tenant.id, idOf(context));
    const page = pageOf(context);
    const items: { id: string }[] = JSON.parse(input);
    if (page.order === 'desc') items.reverse();
    const start = page.after === undefined ? 0 : items.findIndex(({ id }) => id === page.after) + 1;
    const data = items.slice(start, start + page.limit);
    return context.json({
      object: 'list',
      data,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: start + data.length < items.length,
    });
  },
};

function pageOf(context: AppContext): z.output<typeof pageSchema> {
  const page = check(pageSchema, context.req.query());
  if ('value' in page) return page.value;
  throw new RealmError('invalid_request', page.issues.map(issueText).join('; '), { param: page.issues[0]?.path });
}

const json = (context: AppContext, text: string) => context.body(text, 200, { 'content-type': 'application/json' });
