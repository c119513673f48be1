import { defineArchitecture } from '../architecture.ts';
import { hybrid } from '../hybrid.ts';
import { qwen3nextMixer, qwen35Cache, qwen35Experts } from '../qwen35.ts';

/** Qwen3-Next: as qwen35moe, but that neighbouring heads of values share one of keys. */
export const qwen3next = defineArchitecture({
  name: 'qwen3next',
  needs: ['states'],
  cache: qwen35Cache,
  layers: hybrid({ mixer: qwen3nextMixer, norm: 'post_attention_norm', feedForward: qwen35Experts }),
});
