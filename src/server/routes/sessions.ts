import { RealmError } from '../../errors.ts';
import { name } from '../../tenancy/schema.ts';
import type { Route } from '../route.ts';

/** The tenant's own saved sessions; requests save and restore them with `save_session` and `session`. */
export const sessionsRoute: Route = {
  method: 'GET',
  path: '/v1/sessions',
  summary: 'Saved sessions',
  async handle(context) {
    const { services, tenant } = context.var;
    return context.json({ object: 'list', data: await services.sessions.list(tenant.id) });
  },
};

export const deleteSessionRoute: Route = {
  method: 'DELETE',
  path: '/v1/sessions/:id',
  summary: 'Deletes a saved session',
  async handle(context) {
    const { services, tenant } = context.var;
    const id = context.req.param('id') ?? '';
    if (!name.safeParse(id).success) throw new RealmError('session_not_found', 'There is no session of that name');
    await services.sessions.remove(tenant.id, id);
    return context.json({ id, object: 'session', deleted: true });
  },
};
