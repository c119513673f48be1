import { defineArchitecture } from '../architecture.ts';
import { preNorm } from '../pre-norm.ts';

/** ERNIE 4.5's small models: llama. */
export const ernie4_5 = defineArchitecture({ name: 'ernie4_5', layers: preNorm({ rope: 'adjacent' }) });
