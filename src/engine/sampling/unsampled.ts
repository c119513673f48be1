import { unsampled } from '../../backend/backend.ts';
import { RealmError } from '../../errors.ts';

/** Why a row has no token. */
export function whyUnsampled(id: number): RealmError {
  if (id === unsampled.allBanned)
    return new RealmError('engine_failed', 'no token is allowed to come next; the request was stopped');
  return new RealmError('engine_failed', 'the model gave no usable logits; the request was stopped');
}
