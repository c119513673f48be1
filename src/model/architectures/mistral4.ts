import { defineArchitecture } from '../architecture.ts';
import { latentLayers } from '../latent-layers.ts';
import { latentCache } from '../latent-sizes.ts';

/** Mistral Small 4: deepseek2's layers. */
export const mistral4 = defineArchitecture({
  name: 'mistral4',
  needs: ['latent'],
  latent: true,
  cache: latentCache,
  layers: latentLayers,
});
