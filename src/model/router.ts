import type { RouterOptions } from '../backend/backend.ts';
import type { Keys } from './keys.ts';

/** How experts are chosen in all layers. */
export type Router = Omit<RouterOptions, 'bias'>;

/** By llama.cpp's number; 0: the architecture's own. */
const kinds = [undefined, 'softmax', 'sigmoid', 'chosen'] as const;

/** What a file says of its router; `kind` is that of one that does not say it. */
export function readRouter(keys: Keys, kind: Router['kind']): Router {
  const bounds = { min: 0, max: kinds.length - 1, integer: true };
  return {
    kind: kinds[keys.maybe('expert_gating_func', bounds) ?? 0] ?? kind,
    groups: readGroups(keys),
    normalised: keys.meta.maybeBoolean(`${keys.architecture}.expert_weights_norm`) ?? false,
    scale: keys.maybe('expert_weights_scale', { min: 0, max: 1e6 }) || undefined,
  };
}

/** All experts of a group are as many as there are tokens' choices among the groups used, and more than one. */
function readGroups(keys: Keys): Router['groups'] {
  const experts = keys.size('expert_count', 2 ** 31);
  const count = keys.maybe('expert_group_count', { min: 0, max: experts, integer: true }) ?? 0;
  if (count <= 1) return undefined;
  if (experts % count !== 0 || experts === count)
    keys.fail('expert_group_count', `is ${count}, which does not divide ${experts} experts into groups of 2 or more`);
  const used = keys.size('expert_group_used_count', count);
  const chosen = keys.size('expert_used_count', experts);
  const most = (experts / count) * used;
  if (chosen > most) keys.fail('expert_used_count', `is ${chosen}; ${used} groups have ${most} experts`);
  return used === count ? undefined : { count, used };
}
