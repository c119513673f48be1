/** What the versions of Granite have in common: factors that their files bring. */
import type { Keys } from './keys.ts';

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
