import { defineArchitecture } from '../architecture.ts';
import { nemotronCache, nemotronEpsilon, nemotronExperts } from '../nemotron-h.ts';

/** Nemotron 3 Nano: nemotron_h's layers with experts, chosen by sigmoid and a bias, and a shared one. */
export const nemotronHMoe = defineArchitecture({
  name: 'nemotron_h_moe',
  needs: ['states'],
  mixedLayers: true,
  epsilon: nemotronEpsilon,
  cache: nemotronCache,
  layers: nemotronExperts,
});
