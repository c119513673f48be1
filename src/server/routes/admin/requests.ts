import { RealmError } from '../../../errors.ts';
import type { Exchange } from '../../exchange.ts';
import type { AppContext, Route } from '../../route.ts';

/** The requests of all tenants that are being answered or wait. */
export const adminRequestsRoute: Route = {
  method: 'GET',
  path: '/admin/v1/requests',
  summary: 'Requests of all tenants that are being answered',
  admin: true,
  handle(context) {
    return context.json({ data: ofTenants(context).map(describe) });
  },
};

/** Ends a request wherever it is; its client is told so. */
export const adminCancelRoute: Route = {
  method: 'DELETE',
  path: '/admin/v1/requests/:id',
  summary: 'Ends a request of any tenant',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const id = context.req.param('id');
    const found = ofTenants(context).find(each => each.id === id);
    if (!found) throw new RealmError('request_not_found', 'No request of that id is being answered: it may have ended');
    found.cancel(new RealmError('request_cancelled', 'The operator ended the request'));
    const detail = { tenant: found.tenant };
    await services.audit.note({
      actor: exchange.keyId ?? 'local',
      action: 'request.cancelled',
      target: found.id,
      detail,
    });
    return context.json({ ...describe(found), cancelled: true });
  },
};

function ofTenants({ var: { services, exchange } }: AppContext): Exchange[] {
  return [...services.state.open].filter(each => each !== exchange && each.tenant !== undefined);
}

/** Until its first token a request waits, as far as its client can tell. */
function describe({ id, tenant, keyId, model, path, created, usage, hasBegun }: Exchange) {
  const { promptTokens, completionTokens } = usage();
  return {
    id,
    tenant,
    key_id: keyId ?? null,
    model: model ?? null,
    path,
    created_at: new Date(created * 1000).toISOString(),
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    state: hasBegun ? 'running' : 'waiting',
  };
}
