import { defineArchitecture } from '../architecture.ts';
import { latentLayers } from '../latent-layers.ts';
import { latentCache } from '../latent-sizes.ts';

/** DeepSeek V2 to V3.1 and R1, and who follows them: Kimi K2, GLM-4.7-Flash, Mistral Large 3. arXiv:2405.04434, arXiv:2412.19437 */
export const deepseek2 = defineArchitecture({
  name: 'deepseek2',
  needs: ['latent'],
  latent: true,
  cache: latentCache,
  layers: latentLayers,
});
