import { defineArchitecture } from '../architecture.ts';
import { preNorm } from '../pre-norm.ts';

/** SmolLM 3: llama whose every fourth layer does not rotate (NoPE, arXiv:2501.18795). */
export const smollm3 = defineArchitecture({
  name: 'smollm3',
  layers: preNorm({ rope: 'adjacent', rotates: layer => layer % 4 !== 3 }),
});
