import { defineArchitecture } from '../architecture.ts';
import { hybrid } from '../hybrid.ts';
import { qwen35Cache, qwen35Experts, qwen35Mixer } from '../qwen35.ts';

/** Qwen 3.5's and 3.6's mixtures of experts: many small ones, and a shared one of which each token takes a share. */
export const qwen35moe = defineArchitecture({
  name: 'qwen35moe',
  needs: ['states'],
  cache: qwen35Cache,
  layers: hybrid({ mixer: qwen35Mixer, norm: 'post_attention_norm', feedForward: qwen35Experts }),
});
