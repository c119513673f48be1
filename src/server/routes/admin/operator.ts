import { RealmError } from '../../../errors.ts';
import type { Operator } from '../../../tenancy/operator.ts';
import type { AppContext } from '../../route.ts';

/** Who changes something: the public id of the key, or `local` on a server that needs none. */
export const actorOf = (context: AppContext): string => context.var.exchange.keyId ?? 'local';

export const operatorOf = (context: AppContext): Operator => context.var.services.operator(actorOf(context));

export const cancelQuery = { cancel: 'true: requests with the keys that are revoked end at once' };

export function wantsCancel(context: AppContext): boolean {
  const text = context.req.query('cancel') ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw new RealmError('invalid_request', 'cancel: must be true or false', { param: 'cancel' });
}
