import { unsampled } from '../../backend/backend.ts';
import { RealmError } from '../../errors.ts';

/** Why a row has no token. */
export function whyUnsampled(id: number): RealmError {
  if (id === unsampled.allBanned)
    return new RealmError(
      'constraint_dead_end',
      'no token may come next: the request’s mask and its constraint leave none',
    );
  return new RealmError('engine_failed', 'the model gave no usable logits; the request was stopped');
}
