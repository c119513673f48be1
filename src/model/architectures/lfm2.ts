import { defineArchitecture } from '../architecture.ts';
import { denseFeedForward, hybrid } from '../hybrid.ts';
import { lfm2Cache, lfm2Mixer } from '../lfm2.ts';

/** LFM2 and 2.5: most layers convolve the last few tokens, the others attend. arXiv:2511.23404 */
export const lfm2 = defineArchitecture({
  name: 'lfm2',
  needs: ['states'],
  mixedLayers: true,
  cache: lfm2Cache,
  outputNorm: 'token_embd_norm',
  layers: hybrid({ mixer: lfm2Mixer, norm: 'ffn_norm', feedForward: denseFeedForward }),
});
