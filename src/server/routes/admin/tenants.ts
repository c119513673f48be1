import { readBody } from '../../body.ts';
import type { Route } from '../../route.ts';
import { cancelQuery, operatorOf, wantsCancel } from './operator.ts';

const path = '/admin/v1/tenants';

export const tenantRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    summary: 'Tenants, of the file and of the store',
    admin: true,
    handle: async context => context.json({ data: await operatorOf(context).tenants() }),
  },
  {
    method: 'POST',
    path,
    summary: 'Creates a tenant',
    body: 'createTenant',
    admin: true,
    handle: async context =>
      context.json(await operatorOf(context).createTenant(await readBody(context, 'createTenant'))),
  },
  {
    method: 'GET',
    path: `${path}/:id`,
    summary: 'A tenant',
    admin: true,
    handle: async context => context.json(await operatorOf(context).tenant(context.req.param('id') ?? '')),
  },
  {
    method: 'PATCH',
    path: `${path}/:id`,
    summary: 'Changes a tenant; null takes a field away',
    body: 'updateTenant',
    admin: true,
    async handle(context) {
      const body = await readBody(context, 'updateTenant');
      return context.json(await operatorOf(context).updateTenant(context.req.param('id') ?? '', body));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/:id`,
    summary: 'Deletes a tenant and revokes its keys',
    query: cancelQuery,
    admin: true,
    async handle(context) {
      const id = context.req.param('id') ?? '';
      await operatorOf(context).deleteTenant(id, wantsCancel(context));
      return context.json({ id, deleted: true });
    },
  },
];
