import { defineArchitecture } from '../architecture.ts';
import { embeddingScale } from '../gemma.ts';
import { preNorm } from '../pre-norm.ts';

/** Gemma 1 and CodeGemma: llama with GELU, and embeddings scaled by the root of their width. arXiv:2403.08295 */
export const gemma = defineArchitecture({
  name: 'gemma',
  embeddingScale,
  layers: preNorm({ rope: 'halves', activation: 'gelu' }),
});
