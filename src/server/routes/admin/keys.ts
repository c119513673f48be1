import { readBody } from '../../body.ts';
import type { AppContext, Route } from '../../route.ts';
import { cancelQuery, operatorOf, wantsCancel } from './operator.ts';

const path = '/admin/v1/tenants/:id/keys';

const tenantOf = (context: AppContext): string => context.req.param('id') ?? '';
const keyOf = (context: AppContext): string => context.req.param('key') ?? '';

export const keyRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    summary: "A tenant's keys, without what is secret",
    admin: true,
    handle: async context => context.json({ data: await operatorOf(context).keys(tenantOf(context)) }),
  },
  {
    method: 'POST',
    path,
    summary: 'Creates a key, which only this answer has',
    body: 'createKey',
    admin: true,
    async handle(context) {
      const body = await readBody(context, 'createKey');
      return secret(context, await operatorOf(context).createKey(tenantOf(context), body));
    },
  },
  {
    method: 'POST',
    path: `${path}/:key/rotate`,
    summary: 'Makes a key with the same rights; the old one goes on for a while',
    body: 'rotateKey',
    admin: true,
    async handle(context) {
      const { overlap_seconds } = await readBody(context, 'rotateKey');
      return secret(context, await operatorOf(context).rotateKey(tenantOf(context), keyOf(context), overlap_seconds));
    },
  },
  {
    method: 'PATCH',
    path: `${path}/:key`,
    summary: 'Changes a key; null takes a field away',
    body: 'updateKey',
    admin: true,
    async handle(context) {
      const body = await readBody(context, 'updateKey');
      return context.json(await operatorOf(context).updateKey(tenantOf(context), keyOf(context), body));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/:key`,
    summary: 'Revokes a key',
    query: cancelQuery,
    admin: true,
    async handle(context) {
      return context.json(await operatorOf(context).revokeKey(tenantOf(context), keyOf(context), wantsCancel(context)));
    },
  },
];

/** Nothing between here and whoever asked may keep it. */
function secret(context: AppContext, answer: object): Response {
  context.header('cache-control', 'no-store');
  return context.json(answer);
}
