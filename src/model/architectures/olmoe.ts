import { defineArchitecture } from '../architecture.ts';
import { loadWholeNormedAttention } from '../layers.ts';
import { MoE } from '../moe.ts';
import { preNorm } from '../pre-norm.ts';
import { readRouter } from '../router.ts';

/** OLMoE: one norm over all heads of queries and one over those of keys; experts with the weights that the softmax gives. arXiv:2409.02060 */
export const olmoe = defineArchitecture({
  name: 'olmoe',
  layers: preNorm({
    rope: 'halves',
    attention: loadWholeNormedAttention,
    experts: loading => new MoE(loading, loading.config.feedForward, { router: readRouter(loading.keys, 'softmax') }),
  }),
});
