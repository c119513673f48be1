import { defineArchitecture } from '../architecture.ts';
import { denseFeedForward, hybrid } from '../hybrid.ts';
import { qwen35Cache, qwen35Mixer } from '../qwen35.ts';

/**
 * Qwen 3.5, 3.6 and 3.8: gated delta nets, and gated attention in every fourth layer. It rotates as others do: for text the
 * positions in time, height and width are the same.
 */
export const qwen35 = defineArchitecture({
  name: 'qwen35',
  needs: ['states'],
  cache: qwen35Cache,
  layers: hybrid({ mixer: qwen35Mixer, norm: 'post_attention_norm', feedForward: denseFeedForward }),
});
