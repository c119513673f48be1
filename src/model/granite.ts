/** What the versions of Granite have in common: factors that their files bring. */
import { most } from './config.ts';
import type { Keys } from './keys.ts';
import type { Loading } from './loading.ts';
import { MoE } from './moe.ts';

/** A factor of the architecture's own; 0 means none. */
const factor = (keys: Keys, key: string): number | undefined => keys.maybe(key, { min: 0, max: 1e6 }) || undefined;

export const graniteScales = (keys: Keys) => ({
  attention: factor(keys, 'attention.scale'),
  residual: factor(keys, 'residual_scale'),
});

export const graniteEnds = {
  embeddingScale: (_: unknown, keys: Keys): number | undefined => factor(keys, 'embedding_scale'),
  logitScale: (keys: Keys): number => 1 / keys.number('logit_scale', { min: 1e-6, max: 1e6 }),
};

/** Mixtures of experts, some with a shared one; what they add to the stream is scaled by scaling their weights. */
export function graniteExperts(loading: Loading): MoE {
  const { keys, config } = loading;
  const scale = graniteScales(keys).residual;
  const width = keys.maybe('expert_shared_feed_forward_length', { min: 0, max: most.feedForward, integer: true });
  return new MoE(loading, config.feedForward, { router: { scale }, shared: width ? { width, scale } : undefined });
}
